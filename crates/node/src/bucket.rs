//! A log in a bucket of an S3-compatible object store.
//!
//! ```toml
//! [store]                                   # in node.toml
//! url      = "s3://hamsaya-p1/node"         # bucket, and a prefix within it
//! endpoint = "http://127.0.0.1:9000"        # of the service, or of a gateway to it
//! region   = "us-east-1"
//! ```
//! The access key stands in `keys/store.key`: its id and its secret, a line each. The store's key `lock` of the node's own log
//! is the object `<prefix>/log/lock`. What a folder does under its lock, conditional writes do here: `If-None-Match: *` where
//! a key must be free, `If-Match: <etag>` where it must be as it was read. So of two sequencers on one bucket one commits, and
//! the other stops ([`StoreError::Moved`]) and takes away what it had staged; if it dies before that, the next start names the
//! staged object that fits no log, and a person deletes it. A service that does not hold these conditions loses entries: one that ignores them
//! is refused at the start, and [`race`] finds those that fail under load.
//!
//! Every write is durable when it returns, as S3 promises. A write whose answer was lost is read back: if the very bytes are
//! there, it was ours; two sequencers that sign the very same checkpoint have committed the very same entries.
use hamsaya_record::store::{Created, Folder, Store, StoreError, Version, version};
use http_body_util::BodyExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::client::{
    CryptoProvider, DigestAlgorithm, DigestContext, HmacContext, HttpClient, HttpConnector, HttpError, HttpErrorKind,
    HttpRequest, HttpResponse, HttpService, Signer, SigningAlgorithm,
};
use object_store::path::Path as Location;
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt as _, PutMode, PutPayload, RetryConfig, UpdateVersion,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_stream::StreamExt as _;

/// No object of ours is larger, in bytes: a staged batch holds 8 MiB of entries and the tiles that change with them.
const OBJECT_BYTES_MAX: u64 = 64 << 20;
/// How long one request may take, and all its repetitions.
const PATIENCE: Duration = Duration::from_secs(30);

/// `[store]` of `node.toml`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// `s3://bucket/prefix`.
    pub url: String,
    /// Where the service answers, e.g. `http://127.0.0.1:9000`.
    pub endpoint: String,
    /// Its region.
    #[serde(default = "region")]
    pub region: String,
}

fn region() -> String {
    "us-east-1".to_string()
}

/// Who asks the service: the id of an access key and its secret.
#[derive(Clone)]
pub struct Access {
    id: String,
    secret: String,
}

impl Access {
    /// Reads `keys/store.key`: the id and the secret, a line each.
    pub fn parse(text: &str) -> Option<Access> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let access = Access { id: lines.next()?.to_string(), secret: lines.next()?.to_string() };
        lines.next().is_none().then_some(access)
    }
}

/// Keys below a prefix of a bucket.
#[derive(Clone)]
pub struct Bucket {
    objects: Arc<dyn ObjectStore>,
    runtime: Arc<Runtime>,
    prefix: String,
    /// Of keys that are swapped: what was read last, and how the service calls it.
    tags: Arc<Mutex<BTreeMap<String, (Version, UpdateVersion)>>>,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({}/{})", self.objects, self.prefix)
    }
}

impl Bucket {
    /// Opens a bucket, and sees that its service holds conditions.
    pub fn open(settings: &Settings, access: &Access) -> Result<Bucket, StoreError> {
        let failed = |what: String| StoreError::Io { key: settings.url.clone(), what };
        let rest = settings.url.strip_prefix("s3://");
        let Some((bucket, prefix)) = rest.map(|rest| rest.split_once('/').unwrap_or((rest, ""))) else {
            return Err(failed("found no `s3://` at its beginning; allowed is s3://bucket/prefix".into()));
        };
        if !settings.endpoint.starts_with("http://") {
            let what = format!(
                "found the endpoint `{}`, allowed is http://host:port\nhint: for a service over TLS, run its gateway on this machine",
                settings.endpoint
            );
            return Err(failed(what));
        }
        let objects = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_endpoint(&settings.endpoint)
            .with_region(&settings.region)
            .with_allow_http(true)
            .with_access_key_id(&access.id)
            .with_secret_access_key(&access.secret)
            .with_retry(RetryConfig { max_retries: 5, retry_timeout: PATIENCE, ..RetryConfig::default() })
            .with_crypto_provider(Arc::new(Crypto))
            .with_http_connector(Wire)
            .build()
            .map_err(|e| failed(told(&e)))?;
        let bucket = Bucket::over(Arc::new(objects), prefix)?;
        bucket.probe()?;
        Ok(bucket)
    }

    /// Keys of any object store, below a prefix.
    pub fn over(objects: Arc<dyn ObjectStore>, prefix: &str) -> Result<Bucket, StoreError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|e| StoreError::Io { key: prefix.to_string(), what: e.to_string() })?;
        let prefix = prefix.trim_matches('/').to_string();
        Ok(Bucket { objects, runtime: Arc::new(runtime), prefix, tags: Arc::default() })
    }

    /// Keys below a name within it.
    pub fn within(&self, name: &str) -> Bucket {
        let prefix = format!("{}/{name}", self.prefix).trim_matches('/').to_string();
        Bucket { prefix, tags: Arc::default(), ..self.clone() }
    }

    fn location(&self, key: &str) -> Location {
        match self.prefix.as_str() {
            "" => Location::from(key),
            prefix => Location::from(format!("{prefix}/{key}")),
        }
    }

    fn io(&self, key: &str, error: &Error) -> StoreError {
        StoreError::Io { key: self.location(key).to_string(), what: told(error) }
    }

    /// Sees that the service holds conditions: one that ignores them would let two sequencers commit. Writes `probe/condition`.
    pub fn probe(&self) -> Result<(), StoreError> {
        let key = "probe/condition";
        let ignored = |which: &str| {
            let what = format!(
                "its service writes although `{which}` forbids it\nhint: two nodes on one bucket would both commit; use another service"
            );
            Err(StoreError::Io { key: self.location(key).to_string(), what })
        };
        let stale = self.put(key, b"first", PutMode::Overwrite).map_err(|e| self.io(key, &e))?;
        let fresh = self.put(key, b"second", PutMode::Update(stale.clone())).map_err(|e| self.io(key, &e))?;
        match self.put(key, b"third", PutMode::Create) {
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => {}
            Err(error) => return Err(self.io(key, &error)),
            Ok(_) => return ignored("If-None-Match: *"),
        }
        match self.put(key, b"fourth", PutMode::Update(stale)) {
            Err(Error::Precondition { .. }) => {}
            Err(error) => return Err(self.io(key, &error)),
            Ok(_) => return ignored("If-Match"),
        }
        self.put(key, b"fifth", PutMode::Update(fresh)).map(drop).map_err(|e| self.io(key, &e))
    }

    fn put(&self, key: &str, bytes: &[u8], mode: PutMode) -> Result<UpdateVersion, Error> {
        let payload = PutPayload::from(bytes.to_vec());
        let put = self.runtime.block_on(self.objects.put_opts(&self.location(key), payload, mode.into()))?;
        Ok(UpdateVersion { e_tag: put.e_tag, version: put.version })
    }

    fn fetch(&self, key: &str) -> Result<Option<(Vec<u8>, UpdateVersion)>, StoreError> {
        let location = self.location(key);
        let fetched = self.runtime.block_on(async {
            let found = self.objects.get(&location).await?;
            let tag = UpdateVersion { e_tag: found.meta.e_tag.clone(), version: found.meta.version.clone() };
            Ok((found.bytes().await?.to_vec(), tag))
        });
        match fetched {
            Ok(found) => Ok(Some(found)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.io(key, &error)),
        }
    }

    fn remember(&self, key: &str, version: Version, tag: UpdateVersion) {
        // Tiles and staged batches never change.
        if !key.starts_with("tile/") && !key.starts_with("staging/") {
            self.tags.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_string(), (version, tag));
        }
    }
}

impl Store for Bucket {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        let Some((bytes, tag)) = self.fetch(key)? else { return Ok(None) };
        let version = version(&bytes);
        self.remember(key, version, tag);
        Ok(Some((bytes, version)))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        // The service lists whole folders.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let (folder, whole) = (self.location(folder), self.prefix.len() + usize::from(!self.prefix.is_empty()));
        let listed = self.runtime.block_on(async {
            let mut keys = Vec::new();
            let mut objects = self.objects.list(Some(&folder));
            while let Some(object) = objects.next().await {
                keys.extend(object?.location.as_ref().get(whole..).map(str::to_string));
            }
            Ok(keys)
        });
        let mut keys: Vec<String> = listed.map_err(|error| self.io(prefix, &error))?;
        keys.retain(|key| key.starts_with(prefix));
        keys.sort();
        Ok(keys)
    }

    fn create(&mut self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        match self.put(key, bytes, PutMode::Create) {
            Ok(_) => Ok(Created::New),
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => match self.fetch(key)? {
                Some((found, _)) if found == bytes => Ok(Created::Same),
                _ => Err(StoreError::Differs(self.location(key).to_string())),
            },
            Err(error) => Err(self.io(key, &error)),
        }
    }

    fn swap(&mut self, key: &str, old: Option<Version>, bytes: &[u8]) -> Result<Version, StoreError> {
        let moved = || StoreError::Moved(self.location(key).to_string());
        let mode = match old {
            None => PutMode::Create,
            Some(old) => {
                let known = self.tags.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
                match known.filter(|(version, _)| *version == old) {
                    Some((_, tag)) => PutMode::Update(tag),
                    None => match self.fetch(key)? {
                        Some((found, tag)) if version(&found) == old => PutMode::Update(tag),
                        _ => return Err(moved()),
                    },
                }
            }
        };
        let tag = match self.put(key, bytes, mode) {
            Ok(tag) => tag,
            // Ours, if the answer to an earlier try was lost on its way.
            Err(Error::AlreadyExists { .. } | Error::Precondition { .. }) => match self.fetch(key)? {
                Some((found, tag)) if found == bytes && old != Some(version(bytes)) => tag,
                _ => return Err(moved()),
            },
            Err(error) => return Err(self.io(key, &error)),
        };
        let version = version(bytes);
        self.remember(key, version, tag);
        Ok(version)
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        match self.runtime.block_on(self.objects.delete(&self.location(key))) {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.io(key, &error)),
        }
    }
}

/// Where a node keeps its bytes.
#[derive(Debug)]
pub enum Place {
    /// On this machine's disk.
    Folder(Folder),
    /// In a bucket.
    Bucket(Bucket),
}

impl Store for Place {
    fn read(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        match self {
            Place::Folder(store) => store.read(key),
            Place::Bucket(store) => store.read(key),
        }
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        match self {
            Place::Folder(store) => store.list(prefix),
            Place::Bucket(store) => store.list(prefix),
        }
    }

    fn create(&mut self, key: &str, bytes: &[u8]) -> Result<Created, StoreError> {
        match self {
            Place::Folder(store) => store.create(key, bytes),
            Place::Bucket(store) => store.create(key, bytes),
        }
    }

    fn swap(&mut self, key: &str, old: Option<Version>, bytes: &[u8]) -> Result<Version, StoreError> {
        match self {
            Place::Folder(store) => store.swap(key, old, bytes),
            Place::Bucket(store) => store.swap(key, old, bytes),
        }
    }

    fn delete(&mut self, key: &str) -> Result<(), StoreError> {
        match self {
            Place::Folder(store) => store.delete(key),
            Place::Bucket(store) => store.delete(key),
        }
    }
}

/// What came of a race of writers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raced {
    /// Swaps that were said to have been done.
    pub done: u64,
    /// Swaps that were refused because somebody else was there first.
    pub refused: u64,
    /// Of those done, how many are not in the end's count: written over by another.
    pub lost: u64,
}

/// Lets `writers` add one to a counter, `swaps` times each, by compare and swap: a service that holds conditions loses none.
pub fn race(bucket: &Bucket, writers: u64, swaps: u64, tick: impl Fn() + Sync) -> Result<Raced, StoreError> {
    let arena = bucket.within("race");
    // `17 by 3`: what two write is never the same, so that a lost answer can be told from a lost race.
    let count = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        text.split(' ').next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0)
    };
    let start = arena.read("counter")?.map_or(0, |(bytes, _)| count(&bytes));
    let run = &|writer: u64| -> Result<(u64, u64), StoreError> {
        // A writer of its own knows only what it read itself.
        let mut store = bucket.within("race");
        let (mut done, mut refused) = (0, 0);
        while done < swaps {
            let (found, old) = match store.read("counter")? {
                Some((bytes, version)) => (count(&bytes), Some(version)),
                None => (0, None),
            };
            match store.swap("counter", old, format!("{} by {writer}", found + 1).as_bytes()) {
                Ok(_) => {
                    done += 1;
                    tick();
                }
                Err(StoreError::Moved(_)) => refused += 1,
                Err(error) => return Err(error),
            }
        }
        Ok((done, refused))
    };
    let ends = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers).map(|writer| scope.spawn(move || run(writer))).collect();
        threads.into_iter().map(|thread| thread.join()).collect::<Vec<_>>()
    });
    let mut raced = Raced { done: 0, refused: 0, lost: 0 };
    for end in ends {
        let (done, refused) = end.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked))?;
        raced.done += done;
        raced.refused += refused;
    }
    let end = arena.read("counter")?.map_or(0, |(bytes, _)| count(&bytes));
    raced.lost = (start + raced.done).saturating_sub(end);
    Ok(raced)
}

/// With what lies below it: the outermost message alone says too little.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(error) = below {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        below = error.source();
    }
    text
}

/// The same HTTP client as between nodes.
#[derive(Debug)]
struct Wire;

#[derive(Debug)]
struct Client(ureq::Agent);

impl HttpConnector for Wire {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE));
        Ok(HttpClient::new(Client(config.build().into())))
    }
}

#[async_trait::async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let agent = self.0.clone();
        let answered = tokio::task::spawn_blocking(move || {
            let request = ureq::http::Request::from_parts(head, body.to_vec());
            let (head, mut body) = agent.run(request)?.into_parts();
            let bytes = body.with_config().limit(OBJECT_BYTES_MAX).read_to_vec()?;
            Ok(ureq::http::Response::from_parts(head, bytes.into()))
        });
        match answered.await {
            Ok(answer) => answer.map_err(|error: ureq::Error| {
                let kind = match &error {
                    ureq::Error::Timeout(_) => HttpErrorKind::Timeout,
                    ureq::Error::ConnectionFailed | ureq::Error::HostNotFound => HttpErrorKind::Connect,
                    ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
                        HttpErrorKind::Connect
                    }
                    ureq::Error::Io(_) => HttpErrorKind::Interrupted,
                    _ => HttpErrorKind::Unknown,
                };
                HttpError::new(kind, error)
            }),
            Err(stopped) => Err(HttpError::new(HttpErrorKind::Unknown, stopped)),
        }
    }
}

/// SHA-256 for the signatures of requests (AWS Signature Version 4), by the crate that hashes everything else here.
#[derive(Debug)]
struct Crypto;

struct Hash(Sha256, Vec<u8>);

/// HMAC, RFC 2104: the hash of the outer key and of the hash of the inner key and the text.
struct Hmac {
    inner: Sha256,
    outer: [u8; 64],
    code: Vec<u8>,
}

impl CryptoProvider for Crypto {
    fn digest(&self, algorithm: DigestAlgorithm) -> object_store::Result<Box<dyn DigestContext>> {
        match algorithm {
            DigestAlgorithm::Sha256 => Ok(Box::new(Hash(Sha256::new(), Vec::new()))),
            other => Err(unknown(format!("{other:?}"))),
        }
    }

    fn hmac(&self, algorithm: DigestAlgorithm, secret: &[u8]) -> object_store::Result<Box<dyn HmacContext>> {
        if algorithm != DigestAlgorithm::Sha256 {
            return Err(unknown(format!("{algorithm:?}")));
        }
        Ok(Box::new(Hmac::new(secret)))
    }

    fn sign(&self, algorithm: SigningAlgorithm, _: &[u8]) -> object_store::Result<Box<dyn Signer>> {
        Err(unknown(format!("{algorithm:?}")))
    }
}

fn unknown(algorithm: String) -> Error {
    Error::NotSupported { source: format!("{algorithm} is not for S3").into() }
}

impl DigestContext for Hash {
    fn update(&mut self, data: &[u8]) {
        self.0.update(data);
    }

    fn finish(&mut self) -> object_store::Result<&[u8]> {
        self.1 = self.0.finalize_reset().to_vec();
        Ok(&self.1)
    }
}

impl Hmac {
    fn new(secret: &[u8]) -> Hmac {
        let mut key = [0; 64];
        if secret.len() > key.len() {
            key[..32].copy_from_slice(&Sha256::digest(secret));
        } else {
            key[..secret.len()].copy_from_slice(secret);
        }
        let inner = Sha256::new().chain_update(key.map(|byte| byte ^ 0x36));
        Hmac { inner, outer: key.map(|byte| byte ^ 0x5c), code: Vec::new() }
    }
}

impl HmacContext for Hmac {
    fn update(&mut self, data: &[u8]) {
        self.inner.update(data);
    }

    fn finish(&mut self) -> object_store::Result<&[u8]> {
        let inner = self.inner.finalize_reset();
        self.code = Sha256::new().chain_update(self.outer).chain_update(inner).finalize().to_vec();
        Ok(&self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn hmac_is_that_of_the_rfc() {
        let code = |secret: &[u8], text: &[u8]| {
            let mut hmac = Hmac::new(secret);
            HmacContext::update(&mut hmac, text);
            let code = HmacContext::finish(&mut hmac).unwrap();
            code.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(
            code(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            code(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
