//! Stores that are buckets: the same rules as a folder's, and two sequencers on one.
//!
//! With `HAMSAYA_S3=http://host:port/bucket` (access key `hamsaya`, secret `hamsaya-secret`) the same tests run over that service too.
use async_trait::async_trait;
use hamsaya_node::bucket::{Access, Bucket, Raced, Settings, race};
use hamsaya_record::Instant;
use hamsaya_record::key::SecretKey;
use hamsaya_record::log::Log;
use hamsaya_record::store::{Created, Folder, Memory, Store, StoreError, version};
use object_store::memory::InMemory;
use object_store::path::Path as Location;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, PutResult,
};
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Barrier};
use tokio_stream::Stream;

type Listing<T> = std::pin::Pin<Box<dyn Stream<Item = object_store::Result<T>> + Send>>;

fn in_memory() -> Bucket {
    Bucket::over(Arc::new(InMemory::new()), "p1").unwrap()
}

/// A service that was named, below a prefix of its own.
fn over_the_wire(name: &str) -> Option<Bucket> {
    let Ok(service) = std::env::var("HAMSAYA_S3") else {
        eprintln!("skipped: HAMSAYA_S3 names no S3 service");
        return None;
    };
    let (endpoint, bucket) = service.rsplit_once('/').unwrap();
    let unique = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let settings = Settings {
        url: format!("s3://{bucket}/{name}-{unique}"),
        endpoint: endpoint.to_string(),
        region: "us-east-1".to_string(),
    };
    Some(Bucket::open(&settings, &Access::parse("hamsaya\nhamsaya-secret\n").unwrap()).unwrap())
}

fn key() -> SecretKey {
    SecretKey::from_seed("p1.example/hamsaya/1", [7; 32]).unwrap()
}

fn leaves(from: u64, to: u64) -> Vec<Vec<u8>> {
    (from..to).map(|n| format!("entry {n}").into_bytes()).collect()
}

/// What `Store` promises, one line each.
fn keeps_its_promises(store: &mut impl Store) {
    assert_eq!(store.read("lock"), Ok(None));
    assert_eq!(store.list(""), Ok(vec![]));
    assert_eq!(store.create("tile/0/000", b"tile"), Ok(Created::New));
    assert_eq!(store.create("tile/0/000", b"tile"), Ok(Created::Same));
    assert!(
        matches!(store.create("tile/0/000", b"other"), Err(StoreError::Differs(key)) if key.ends_with("tile/0/000"))
    );
    assert_eq!(store.create("staging/1-00", b""), Ok(Created::New), "nothing is something");
    assert_eq!(store.read("tile/0/000"), Ok(Some((b"tile".to_vec(), version(b"tile")))));
    let first = store.swap("lock", None, b"one").unwrap();
    assert_eq!(first, version(b"one"));
    assert!(matches!(store.swap("lock", None, b"two"), Err(StoreError::Moved(_))), "it is not free");
    assert!(matches!(store.swap("lock", Some(version(b"zero")), b"two"), Err(StoreError::Moved(_))), "it is not zero");
    let second = store.swap("lock", Some(first), b"two").unwrap();
    assert!(matches!(store.swap("lock", Some(first), b"three"), Err(StoreError::Moved(_))), "it moved on");
    assert_eq!(store.read("lock"), Ok(Some((b"two".to_vec(), second))));
    assert!(matches!(store.swap("checkpoint", Some(first), b"one"), Err(StoreError::Moved(_))), "it is not there");
    store.create("tile/0/001.p/7", b"partial").unwrap();
    assert_eq!(store.list("tile/0/0"), Ok(vec!["tile/0/000".to_string(), "tile/0/001.p/7".to_string()]));
    assert_eq!(store.list("tile/0/001.p/"), Ok(vec!["tile/0/001.p/7".to_string()]));
    store.delete("tile/0/001.p/7").unwrap();
    store.delete("staging/1-00").unwrap();
    assert_eq!(
        store.list("").map(|keys| keys.into_iter().filter(|k| *k != "held").collect()),
        Ok(vec!["lock".to_string(), "tile/0/000".into()])
    );
}

#[test]
fn every_store_keeps_its_promises() {
    keeps_its_promises(&mut Memory::new());
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("store-promises");
    let _ = std::fs::remove_dir_all(&dir);
    keeps_its_promises(&mut Folder::open(&dir).unwrap());
    keeps_its_promises(&mut in_memory());
    // A prefix is not seen from beside it.
    let bucket = in_memory();
    keeps_its_promises(&mut bucket.within("log"));
    keeps_its_promises(&mut bucket.within("log-of-another"));
    if let Some(bucket) = over_the_wire("promises") {
        keeps_its_promises(&mut bucket.within("log"));
    }
}

/// Batches, a restart and more batches lead to the same bytes under the same keys, wherever they lie.
fn grows(bucket: Bucket) {
    let memory = Memory::new();
    let mut plain = Log::open(memory.clone(), key(), |_, _| ()).unwrap();
    let mut log = Log::open(bucket.clone(), key(), |_, _| ()).unwrap();
    let mut size = 0;
    for n in [1, 2, 300, 40] {
        let leaves = leaves(size, size + n);
        size += n;
        assert_eq!(log.append(&leaves, Instant(1)).unwrap(), plain.append(&leaves, Instant(1)).unwrap());
    }
    // Not settled: the staged batch is played again.
    drop(log);
    let mut seen = 0;
    let mut log = Log::open(bucket.clone(), key(), |_, _| seen += 1).unwrap();
    assert_eq!(seen, size);
    log.append(&leaves(size, size + 9), Instant(2)).unwrap();
    plain.append(&leaves(size, size + 9), Instant(2)).unwrap();
    log.settle().unwrap();
    plain.settle().unwrap();
    let keys = memory.list("").unwrap();
    assert_eq!(bucket.list("").unwrap(), keys);
    for key in keys {
        assert_eq!(bucket.read(&key).unwrap(), memory.read(&key).unwrap(), "{key}");
    }
}

#[test]
fn a_log_in_a_bucket_is_the_log_in_memory() {
    grows(in_memory());
    if let Some(bucket) = over_the_wire("grows") {
        grows(bucket.within("log"));
    }
}

/// `rounds` times two sequencers that opened the same log commit at once.
fn one_commits(bucket: &Bucket, rounds: u64) {
    for round in 0..rounds {
        let place = bucket.within(&format!("round-{round}"));
        let mut first = Log::open(place.clone(), key(), |_, _| ()).unwrap();
        first.append(&leaves(0, 3), Instant(1)).unwrap();
        first.settle().unwrap();
        let (barrier, place) = (Barrier::new(2), &place);
        let run = |name: u64| {
            // Like another process: it knows of the bucket only what it read itself.
            let mut log = Log::open(place.within(""), key(), |_, _| ()).unwrap();
            barrier.wait();
            let said = log.append(&leaves(1000 * name, 1000 * name + 2), Instant(2)).map_err(|e| e.to_string());
            if said.is_err() {
                log.append(&leaves(0, 1), Instant(3)).expect_err("it must be opened again first");
            }
            said
        };
        let said = std::thread::scope(|scope| {
            let threads = [1, 2].map(|name| scope.spawn(move || run(name)));
            threads.map(|thread| thread.join().unwrap())
        });
        let lost: Vec<&String> = said.iter().filter_map(|said| said.as_ref().err()).collect();
        assert_eq!(lost.len(), 1, "exactly one commits: {said:?}");
        assert!(lost[0].contains("somebody else writes to this log"), "{}", lost[0]);
        let winner = 1 + said.iter().position(Result::is_ok).unwrap() as u64;
        let mut entries = Vec::new();
        Log::open(place.clone(), key(), |_, leaf| entries.push(leaf.to_vec())).unwrap();
        assert_eq!(entries, [leaves(0, 3), leaves(1000 * winner, 1000 * winner + 2)].concat());
    }
}

#[test]
fn of_two_sequencers_one_commits() {
    one_commits(&in_memory(), 50);
}

#[test]
fn racing_writers_lose_nothing() {
    assert!(matches!(race(&in_memory(), 8, 200, || ()), Ok(Raced { done: 1600, lost: 0, .. })));
}

/// An object store that takes conditions and does not hold them.
#[derive(Debug)]
struct Careless {
    objects: InMemory,
    /// `Create` is held, `Update` is not.
    half: bool,
}

impl fmt::Display for Careless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("careless")
    }
}

#[async_trait]
impl ObjectStore for Careless {
    async fn put_opts(
        &self,
        at: &Location,
        payload: PutPayload,
        options: PutOptions,
    ) -> object_store::Result<PutResult> {
        let options = match options.mode {
            PutMode::Create if self.half => options,
            _ => PutOptions { mode: PutMode::Overwrite, ..options },
        };
        // Between reading and writing there is time for another.
        std::thread::yield_now();
        self.objects.put_opts(at, payload, options).await
    }
    async fn put_multipart_opts(
        &self,
        at: &Location,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        self.objects.put_multipart_opts(at, options).await
    }
    async fn get_opts(&self, at: &Location, options: GetOptions) -> object_store::Result<GetResult> {
        self.objects.get_opts(at, options).await
    }
    fn delete_stream(&self, at: Listing<Location>) -> Listing<Location> {
        self.objects.delete_stream(at)
    }
    fn list(&self, prefix: Option<&Location>) -> Listing<ObjectMeta> {
        self.objects.list(prefix)
    }
    async fn list_with_delimiter(&self, prefix: Option<&Location>) -> object_store::Result<ListResult> {
        self.objects.list_with_delimiter(prefix).await
    }
    async fn copy_opts(&self, from: &Location, to: &Location, options: CopyOptions) -> object_store::Result<()> {
        self.objects.copy_opts(from, to, options).await
    }
}

#[test]
fn a_service_that_ignores_conditions_is_refused() {
    in_memory().probe().unwrap();
    for (half, which) in [(false, "If-None-Match: *"), (true, "If-Match")] {
        let careless = Bucket::over(Arc::new(Careless { objects: InMemory::new(), half }), "p1").unwrap();
        let said = careless.probe().unwrap_err().to_string();
        assert!(said.contains(which) && said.contains("p1/probe/condition"), "{said}");
        let raced = race(&careless, 8, 200, || ()).unwrap();
        assert!(raced.done == 1600 && raced.lost > 0, "{raced:?}");
    }
}

#[test]
fn what_is_no_bucket_is_named() {
    let access = Access::parse("id\nsecret").unwrap();
    let open = |url: &str, endpoint: &str| {
        let settings = Settings { url: url.into(), endpoint: endpoint.into(), region: "us-east-1".into() };
        Bucket::open(&settings, &access).unwrap_err().to_string()
    };
    assert!(open("https://b", "http://127.0.0.1:1").contains("allowed is s3://bucket/prefix"));
    assert!(open("s3://b", "https://s3.example").contains("http://host:port"));
    // Nobody listens at port 1.
    assert!(open("s3://b/p", "http://127.0.0.1:1").starts_with("p/probe/condition: "));
    assert!(Access::parse("id").is_none() && Access::parse("id\nsecret\nmore").is_none());
}
