import Glibc

/// One request and its response, over FastCGI or CGI.
///
/// Valid until the handler returns. Bytes are a CGI response:
/// `Status:` and other header lines, an empty line, the body (RFC 3875, section 6).
public protocol Exchange: AnyObject {
    /// The bytes of the CGI meta-variable `name`, copied; nil when absent or empty.
    func parameterBytes(_ name: String) -> [UInt8]?

    /// A descriptor that hangs up when the client disconnects; nil if there is none.
    var clientDescriptor: Int32? { get }

    /// When the request was first seen.
    var arrival: ContinuousClock.Instant { get }

    /// Reads the request body; nil when it is longer than `limit`.
    ///
    /// Throws when the client did not send all of it.
    func readBody(upTo limit: Int) throws(FastCGIError) -> [UInt8]?

    /// Sends bytes; short pieces may be buffered.
    ///
    /// Throws if the client disconnected (`EPIPE`) or read nothing for the write timeout (`EAGAIN`).
    func write(_ bytes: Span<UInt8>) throws(FastCGIError)

    /// Aborts the response, so that nobody can take it for a complete one.
    func abort()
}

extension Exchange {
    /// The CGI meta-variable `name`; invalid UTF-8 in it is replaced.
    public func parameter(_ name: String) -> String? {
        parameterBytes(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The length of the request body by `CONTENT_LENGTH`; 0 without one.
    var contentLength: Int {
        max(0, parameter("CONTENT_LENGTH").flatMap { Int($0) } ?? 0)
    }
}

/// A system call of the transport that failed.
public struct FastCGIError: Error, CustomStringConvertible {
    /// The failed call with its object: `bind /run/orbital.sock`.
    public let call: String

    /// Its `errno`.
    public let code: Int32

    init(_ call: String, _ code: Int32 = errno) {
        self.call = call
        self.code = code
    }

    /// The call and the system's words for its error.
    public var description: String { "\(call): \(String(cString: strerror(code)))" }
}
