/// One request and the answer to it, over FastCGI or CGI.
///
/// An exchange is lent to the handler and dead when that returns. Bytes are a CGI response:
/// `Status:` and other header lines, an empty line, the body (RFC 3875, section 6).
public protocol Exchange: AnyObject {
    /// The bytes of the CGI meta-variable `name`, copied; nil when absent or empty.
    func parameterBytes(_ name: String) -> [UInt8]?

    /// A descriptor that hangs up when the client goes; nil where none tells.
    var clientDescriptor: Int32? { get }

    /// When the request was there at the latest.
    var arrival: ContinuousClock.Instant { get }

    /// Reads the request body; nil when it is longer than `limit`.
    ///
    /// Throws when the client did not send all of it.
    func readBody(upTo limit: Int) throws(FastCGIError) -> [UInt8]?

    /// Sends bytes; short ones may wait for more.
    ///
    /// Throws when the client is gone (`EPIPE`) or took nothing for the client limit (`EAGAIN`).
    func write(_ bytes: Span<UInt8>) throws(FastCGIError)

    /// Ends the answer so that nobody can take it for a complete one.
    func abort()
}

extension Exchange {
    /// The CGI meta-variable `name`; what is no UTF-8 in it is replaced.
    public func parameter(_ name: String) -> String? {
        parameterBytes(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The length that the web server says the request body has; 0 when it says nothing.
    var contentLength: Int {
        max(0, parameter("CONTENT_LENGTH").flatMap { Int($0) } ?? 0)
    }
}
