//! Database connections with their prepared statements.

use std::ops::Deref;
use std::sync::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::{Client, Error, NoTls, Statement};

/// A connection for one request at a time.
pub struct Connection {
    pub client: Client,
    pub read_all: Statement,
    pub read_page: Statement,
    pub next_ids: Statement,
    pub insert: Statement,
}

impl Connection {
    async fn open(url: &str) -> Result<Self, Error> {
        let client = connect(url).await?;
        Ok(Self {
            read_all: client.prepare(crate::read::ALL).await?,
            read_page: client.prepare(crate::read::PAGE).await?,
            next_ids: client.prepare(crate::record::NEXT_IDS).await?,
            insert: client.prepare(crate::record::INSERT).await?,
            client,
        })
    }
}

async fn connect(url: &str) -> Result<Client, Error> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("{error}");
        }
    });
    client.batch_execute("SET jit = off").await?;
    Ok(client)
}

pub struct Pool {
    url: String,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
    /// Short questions of all requests are pipelined on this one.
    shared: tokio::sync::RwLock<(Client, Statement)>,
}

impl Pool {
    pub async fn connect(url: &str, size: usize) -> Result<Self, Error> {
        let mut idle = Vec::with_capacity(size);
        for _ in 0..size {
            idle.push(Connection::open(url).await?);
        }
        Ok(Self {
            url: url.to_owned(),
            idle: Mutex::new(idle),
            permits: Semaphore::new(size),
            shared: tokio::sync::RwLock::new(Self::connect_shared(url).await?),
        })
    }

    async fn connect_shared(url: &str) -> Result<(Client, Statement), Error> {
        let client = connect(url).await?;
        let statement = client.prepare("SELECT 1").await?;
        Ok((client, statement))
    }

    /// Waits for a free connection; one that broke is replaced.
    pub async fn get(&self) -> Result<Lease<'_>, Error> {
        let permit = self.permits.acquire().await.expect("the semaphore is never closed");
        let idle = self.idle.lock().unwrap().pop();
        let connection = match idle {
            Some(connection) if !connection.client.is_closed() => connection,
            _ => Connection::open(&self.url).await?,
        };
        Ok(Lease { pool: self, connection: Some(connection), _permit: permit })
    }

    /// Asks the database whether it answers.
    pub async fn ask(&self) -> Result<(), Error> {
        {
            let shared = self.shared.read().await;
            if !shared.0.is_closed() {
                return shared.0.query_one(&shared.1, &[]).await.map(drop);
            }
        }
        *self.shared.write().await = Self::connect_shared(&self.url).await?;
        Ok(())
    }
}

/// A connection that goes back when it is dropped.
pub struct Lease<'a> {
    pool: &'a Pool,
    connection: Option<Connection>,
    _permit: SemaphorePermit<'a>,
}

impl Deref for Lease<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("it is there until the drop")
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.pool.idle.lock().unwrap().extend(self.connection.take());
    }
}
