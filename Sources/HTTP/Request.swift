/// A request as routes see it: values copied from the transport, and a body that is read on demand.
public struct Request {
    /// The method as sent; it may be unknown.
    public var method: String

    /// The decoded path by which the route is found; begins with a slash.
    public var path: String

    /// The text before `path` in the client's URL: the path of a CGI script, or empty.
    public var pathPrefix: String

    /// The raw text after the question mark.
    public var query: String

    /// The field `Accept`.
    public var accept: String?

    /// The field `If-None-Match`.
    public var ifNoneMatch: String?

    /// The field `Authorization`.
    public var authorization: String?

    /// The user that the web server has authenticated.
    public var remoteUser: String?

    /// The field `Content-Type`.
    public var contentType: String?

    /// The field `Content-Encoding`.
    public var contentEncoding: String?

    /// The field `Idempotency-Key`.
    public var idempotencyKey: String?

    /// Whether it came through an entry point for operators, and may use internal routes.
    public var isInternal = false

    /// Reads the body; throws a 413 above the limit, a 411 without a length, and a 400 if it is
    /// incomplete.
    public var body: () throws -> [UInt8] = { [] }

    /// The id that links the response to the log lines of nginx and of the responder.
    public var requestID: String

    /// Makes a request.
    public init(
        method: String, path: String, pathPrefix: String = "", query: String = "",
        accept: String? = nil, ifNoneMatch: String? = nil, requestID: String
    ) {
        self.method = method
        self.path = path
        self.pathPrefix = pathPrefix
        self.query = query
        self.accept = accept
        self.ifNoneMatch = ifNoneMatch
        self.requestID = requestID
    }
}

/// A request method that routes support (RFC 9110, section 9).
public enum Method: String, Sendable {
    /// Reads.
    case get = "GET"
    /// Reads the header fields only; supported wherever GET is.
    case head = "HEAD"
    /// Processes a request body.
    case post = "POST"
    /// Lists the supported methods.
    case options = "OPTIONS"
}
