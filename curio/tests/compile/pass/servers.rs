//! Handlers may be functions, closures, and closures that own something.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;

use curio::net::{TcpListener, TcpStream};
use curio::{Result, open_connection, run, run_server, spawn, tcp_server};

async fn greet(client: TcpStream, _addr: SocketAddr) -> Result<()> {
    client.write_all(b"hello").await
}

async fn served<S>(server: impl FnOnce(TcpListener) -> S) -> Result<()>
where
    S: Future<Output = Result<()>> + 'static,
{
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let addr = listener.local_addr()?;
    let server = spawn(server(listener));
    let mut greeting = [0; 5];
    open_connection(addr).await?.read_exact(&mut greeting).await?;
    assert_eq!(&greeting, b"hello");
    server.cancel().await
}

fn main() -> Result<()> {
    run(async {
        served(|listener| run_server(listener, greet)).await?;

        let count = Rc::new(Cell::new(0));
        served(|listener| {
            let count = count.clone();
            run_server(listener, async move |client: TcpStream, _addr| {
                count.set(count.get() + 1);
                client.write_all(b"hello").await?;
                Ok(())
            })
        })
        .await?;
        assert_eq!(count.get(), 1);

        // With everything inferred, and what Python's users would write for all interfaces.
        let server = spawn(tcp_server(("", 0), async |client, addr| {
            println!("{addr}");
            greet(client, addr).await
        }));
        server.cancel().await
    })
}
