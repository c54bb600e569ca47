//! A connection to the server, plain or by TLS.
//!
//! Whether the certificate is good does not matter here: the server is the one
//! that the benchmark has started.

use std::io::{self, Read, Write};
use std::net;
use std::sync::Arc;

use mio::Registry;
use mio::net::TcpStream;
use rustls::client::Resumption;
use rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

use crate::Result;
use crate::args::{Options, Tls};

/// Makes connections, or what TLS adds to them.
pub struct Connector {
    config: Option<Arc<ClientConfig>>,
}

impl Connector {
    pub fn new(options: &Options) -> Result<Connector> {
        if options.tls == Tls::No {
            return Ok(Connector { config: None });
        }
        let provider = Arc::new(ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        if options.tls == Tls::Full {
            config.resumption = Resumption::disabled();
        }
        Ok(Connector { config: Some(Arc::new(config)) })
    }

    /// The TLS of a new connection; None: it is plain.
    fn tls(&self) -> Result<Option<Box<ClientConnection>>> {
        let Some(config) = &self.config else { return Ok(None) };
        let name = ServerName::try_from("localhost")?;
        Ok(Some(Box::new(ClientConnection::new(config.clone(), name)?)))
    }

    /// Makes a connection of one that waits, when its handshake is complete.
    pub fn shake_hands(&self, mut stream: net::TcpStream) -> Result<Socket> {
        let mut tls = self.tls()?;
        if let Some(tls) = &mut tls {
            tls.complete_io(&mut stream)?;
        }
        stream.set_nonblocking(true)?;
        Ok(Socket { stream: TcpStream::from_std(stream), tls })
    }

    /// The same of one whose reads and writes go on waiting.
    pub fn blocking(&self, mut stream: net::TcpStream) -> Result<Blocking> {
        let mut tls = self.tls()?;
        if let Some(tls) = &mut tls {
            tls.complete_io(&mut stream)?;
        }
        Ok(Blocking { stream, tls })
    }

    /// Makes a connection of one that is being made; what is written waits until
    /// the handshake is complete.
    pub fn begin(&self, stream: TcpStream) -> Result<Socket> {
        Ok(Socket { stream, tls: self.tls()? })
    }
}

/// A connection that does not wait: `WouldBlock` is for the next event.
pub struct Socket {
    stream: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Socket {
    pub fn register(
        &mut self,
        registry: &Registry,
        token: mio::Token,
        interest: mio::Interest,
    ) -> io::Result<()> {
        registry.register(&mut self.stream, token, interest)
    }

    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.stream.take_error()
    }

    /// Whether a read that did not fill its buffer took all that there was.
    pub fn short_read_is_last(&self) -> bool {
        self.tls.is_none()
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.stream.read(buffer) };
        loop {
            match tls.reader().read(buffer) {
                Err(err) if err.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            // Ok(0): the reader tells whether the end was said so.
            tls.read_tls(&mut self.stream)?;
            tls.process_new_packets().map_err(io::Error::other)?;
            // The next part of the handshake.
            send(tls, &mut self.stream)?;
        }
    }
}

impl Write for Socket {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let Some(tls) = &mut self.tls else { return self.stream.write(data) };
        send(tls, &mut self.stream)?;
        if tls.wants_write() && !tls.is_handshaking() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = tls.writer().write(data)?;
        send(tls, &mut self.stream)?;
        Ok(n)
    }

    /// Sends what had no room before.
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            Some(tls) => send(tls, &mut self.stream),
            None => Ok(()),
        }
    }
}

/// Sends as much of TLS's own buffer as there is room for.
fn send(tls: &mut ClientConnection, stream: &mut impl Write) -> io::Result<()> {
    while tls.wants_write() {
        match tls.write_tls(stream) {
            Ok(_) => {}
            Err(err) if err.kind() == io::ErrorKind::WouldBlock => break,
            Err(err) => return Err(err),
        }
    }
    Ok(())
}

/// A connection whose reads and writes wait.
pub struct Blocking {
    stream: net::TcpStream,
    tls: Option<Box<ClientConnection>>,
}

impl Read for Blocking {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).read(buffer),
            None => self.stream.read(buffer),
        }
    }
}

impl Write for Blocking {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            Some(tls) => rustls::Stream::new(&mut **tls, &mut self.stream).write(data),
            None => self.stream.write(data),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes every certificate, but looks at signatures, as a client does.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
