//! An S3 server on loopback for one test, and a proxy before it that can behave badly.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path as Key;
use object_store::{ObjectStoreExt, PutPayload};

/// What answers a request before the server sees it.
pub enum Answer {
    /// The server's own answer.
    Pass,
    /// This status and body.
    Say(u16, &'static str),
    /// The server's answer, cut off after this many bytes of its body.
    Cut(usize),
}

type Behaviour = Box<dyn FnMut(&Request) -> Answer + Send>;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Request {
    pub line: String,
    pub authorization: String,
    pub range: String,
    pub payer: String,
}

/// Ends with the test.
pub struct Server {
    child: Child,
    port: u16,
    proxy_port: u16,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<Vec<Request>>>,
    runtime: tokio::runtime::Runtime,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub fn start() -> Server {
        let (python, script) = super::python::script("s3_server.py");
        let mut command = Command::new(python);
        command.arg(script).env_remove("PYTHONPATH").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the S3 server starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let port = line.trim().parse().expect("the S3 server prints its port");
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy_port = listener.local_addr().unwrap().port();
        let behaviour: Arc<Mutex<Behaviour>> = Arc::new(Mutex::new(Box::new(|_| Answer::Pass)));
        let requests = Arc::default();
        let (behave, seen) = (behaviour.clone(), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (behave, seen) = (behave.clone(), Arc::clone(&seen));
                std::thread::spawn(move || serve(stream, port, &behave, &seen));
            }
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        Server { child, port, proxy_port, behaviour, requests, runtime }
    }

    /// The address that programs under test are given.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.proxy_port)
    }

    /// From now on requests are answered like this.
    pub fn behave(&self, behaviour: impl FnMut(&Request) -> Answer + Send + 'static) {
        *self.behaviour.lock().unwrap() = Box::new(behaviour);
    }

    /// What was asked since the last look.
    pub fn requests(&self) -> Vec<Request> {
        std::mem::take(&mut *self.requests.lock().unwrap())
    }

    fn store(&self, bucket: &str) -> AmazonS3 {
        let builder = AmazonS3Builder::new().with_bucket_name(bucket).with_allow_http(true);
        let builder = builder.with_endpoint(format!("http://127.0.0.1:{}", self.port));
        builder.with_access_key_id("setup").with_secret_access_key("setup").build().unwrap()
    }

    pub fn put(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let (key, payload) = (Key::parse(key).unwrap(), PutPayload::from(bytes.to_vec()));
        self.runtime.block_on(self.store(bucket).put(&key, payload)).unwrap();
    }

    /// Puts an object whose key the client has no path for; the key is written as in an address.
    pub fn put_odd(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "PUT /{bucket}/{key} HTTP/1.1\r\nHost: localhost\r\nAuthorization: AWS setup:setup\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            bytes.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Puts an object in parts: its entity tag is not that of the same bytes put at once.
    pub fn put_in_parts(&self, bucket: &str, key: &str, bytes: &[u8]) {
        let (key, payload) = (Key::parse(key).unwrap(), PutPayload::from(bytes.to_vec()));
        let store = self.store(bucket);
        self.runtime.block_on(async {
            let mut upload = store.put_multipart(&key).await.unwrap();
            upload.put_part(payload).await.unwrap();
            upload.complete().await.unwrap();
        });
    }

    pub fn delete(&self, bucket: &str, key: &str) {
        self.runtime.block_on(self.store(bucket).delete(&Key::parse(key).unwrap())).unwrap();
    }

    /// The bytes of an object; `None` when there is none.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Vec<u8>> {
        self.runtime.block_on(async {
            let got = self.store(bucket).get(&Key::parse(key).unwrap()).await.ok()?;
            Some(got.bytes().await.unwrap().into())
        })
    }

    /// Keys of the objects below a prefix, in order.
    pub fn list(&self, bucket: &str, prefix: &str) -> Vec<String> {
        use futures::TryStreamExt;
        use object_store::ObjectStore;
        let (store, prefix) = (self.store(bucket), Key::parse(prefix).unwrap());
        let listed: Vec<_> =
            self.runtime.block_on(store.list(Some(&prefix)).try_collect()).unwrap();
        let mut keys: Vec<_> = listed.into_iter().map(|o| o.location.to_string()).collect();
        keys.sort();
        keys
    }

    /// Puts all files below a folder under the same paths.
    pub fn put_folder(&self, bucket: &str, folder: &std::path::Path) -> usize {
        let files = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
        let files = files.filter(|entry| entry.file_type().is_file());
        let put = |entry: walkdir::DirEntry| {
            let key = entry.path().strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            self.put(bucket, &key, &std::fs::read(entry.path()).unwrap());
        };
        files.map(put).count()
    }

    /// Lets everybody read an object.
    pub fn make_public(&self, bucket: &str, key: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "PUT /{bucket}/{key}?acl HTTP/1.1\r\nHost: localhost\r\nx-amz-acl: public-read\r\n\
             Authorization: AWS setup:setup\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
}

/// One request a connection: simple, and enough.
fn serve(
    mut client: TcpStream,
    port: u16,
    behaviour: &Mutex<Behaviour>,
    seen: &Mutex<Vec<Request>>,
) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let mut head = Vec::new();
    let (mut length, mut authorization) = (0, String::new());
    let (mut range, mut payer) = (String::new(), String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let (name, value) = line.split_once(':').unwrap_or(("", ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "authorization" => authorization = value.trim().to_owned(),
            "x-amz-request-payer" => payer = value.trim().to_owned(),
            "range" => range = value.trim().to_owned(),
            "connection" => continue,
            _ => {}
        }
        if line.trim().is_empty() {
            break;
        }
        head.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let line = head.first()?.trim().to_owned();
    let request = Request { line, authorization, range, payer };
    seen.lock().unwrap().push(request.clone());
    let answer = (behaviour.lock().unwrap())(&request);
    let most = match answer {
        Answer::Say(status, body) => {
            let length = body.len();
            let text = format!(
                "HTTP/1.1 {status} Said\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
            return client.write_all(text.as_bytes()).ok();
        }
        Answer::Pass => usize::MAX,
        Answer::Cut(most) => most,
    };
    let mut server = TcpStream::connect(("127.0.0.1", port)).ok()?;
    head.push("Connection: close\r\n\r\n".to_owned());
    server.write_all(head.concat().as_bytes()).ok()?;
    server.write_all(&body).ok()?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).ok()?;
    let begin = answer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let end = answer.len().min(begin.saturating_add(most));
    client.write_all(&answer[..end]).ok()
}
