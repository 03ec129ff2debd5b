//! The usage API in Rust: hyper on a Unix socket and a loopback port, tokio-postgres behind it.

mod json;
mod pool;
mod read;
mod record;

use hyper::header::{HeaderValue, ALLOW, CONTENT_TYPE};
use hyper::server::conn::Http;
use hyper::service::service_fn;
use hyper::{Body, Method, Request, Response, StatusCode};
use pool::Pool;
use std::convert::Infallible;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{signal, SignalKind};

const CONNECTIONS: usize = 8;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (socket, address) = match (arguments.next(), arguments.next()) {
        (Some(socket), Some(address)) => (socket, address),
        _ => return Err("usage: usage SOCKET ADDRESS".into()),
    };
    let pool = Arc::new(Pool::connect(&std::env::var("DATABASE_URL")?, CONNECTIONS).await?);
    let unix = UnixListener::bind(&socket)?;
    let tcp = TcpListener::bind(&address).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    loop {
        tokio::select! {
            accepted = unix.accept() => {
                if let Ok((stream, _)) = accepted {
                    serve(stream, pool.clone());
                }
            }
            accepted = tcp.accept() => {
                if let Ok((stream, _)) = accepted {
                    let _ = stream.set_nodelay(true);
                    serve(stream, pool.clone());
                }
            }
            _ = terminate.recv() => return Ok(()),
        }
    }
}

fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, pool: Arc<Pool>) {
    tokio::spawn(async move {
        let service = service_fn(move |request| route(request, pool.clone()));
        // An error here is a client that went away.
        let _ = Http::new().http1_only(true).serve_connection(stream, service).await;
    });
}

async fn route(request: Request<Body>, pool: Arc<Pool>) -> Result<Response<Body>, Infallible> {
    let answer = match (request.method(), request.uri().path()) {
        (&Method::GET, "/usage") => read::usage(request.uri().query(), pool).await,
        (&Method::POST, "/usage") => record::usage(request.into_body(), pool).await,
        (_, "/usage") => {
            let mut response = problem(StatusCode::METHOD_NOT_ALLOWED, "GET and POST only");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
            Ok(response)
        }
        (&Method::GET, "/health") => match pool.ask().await {
            Ok(()) => Ok(healthy()),
            Err(error) => Err(error),
        },
        (&Method::GET, "/health/live") => Ok(healthy()),
        _ => Ok(problem(StatusCode::NOT_FOUND, "nothing is here")),
    };
    Ok(answer.unwrap_or_else(|error| {
        eprintln!("{error}");
        problem(StatusCode::SERVICE_UNAVAILABLE, "the database does not answer")
    }))
}

fn healthy() -> Response<Body> {
    let now = chrono::Utc::now().timestamp_micros() / 1_000_000 * 1_000_000;
    let mut body = Vec::with_capacity(64);
    body.extend_from_slice(b"{\"status\":\"healthy\",\"timestamp\":\"");
    json::Encoder::default().time(&mut body, now);
    body.extend_from_slice(b"\"}");
    success(body.into())
}

fn success(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn problem(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}
