//! A statement that reads is read back from what it writes, and writing is stable.
#![no_main]
use hamsaya_record::founding::Founding;
use hamsaya_record::statement::Statement;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(statement) = Statement::parse(bytes) {
        let payload = statement.to_payload();
        assert_eq!(Statement::parse(&payload).as_ref(), Ok(&statement));
        let _ = Founding::from_statement(&statement);
    }
});
