/// One request and the answer to it, over FastCGI or CGI.
///
/// An exchange is lent to the handler and dead when that returns. Bytes are a CGI response:
/// `Status:` and other header lines, an empty line, the body (RFC 3875, section 6).
public protocol Exchange: AnyObject {
    /// The CGI meta-variable `name`, copied; nil when absent or empty.
    func parameter(_ name: String) -> String?

    /// A descriptor that hangs up when the client goes; nil where none tells.
    var clientDescriptor: Int32? { get }

    /// Sends bytes; short ones may wait for more.
    ///
    /// Throws when the client is gone (`EPIPE`) or took nothing for the client limit (`EAGAIN`).
    func write(_ bytes: Span<UInt8>) throws(FastCGIError)

    /// Ends the answer so that nobody can take it for a complete one.
    func abort()
}
