/// A request as routes see it: values copied from the transport, and a body that is read on demand.
public struct Request {
    /// The method as sent; may be one that no route knows.
    public var method: String

    /// The decoded path that routes are found by, from the first slash.
    public var path: String

    /// What stands before `path` in the client's URL: a CGI script's own path, or nothing.
    public var pathPrefix: String

    /// The raw text after the question mark.
    public var query: String

    /// The field `Accept`.
    public var accept: String?

    /// The field `If-None-Match`.
    public var ifNoneMatch: String?

    /// The field `Authorization`.
    public var authorization: String?

    /// The user whom the web server has authenticated itself.
    public var remoteUser: String?

    /// The field `Content-Type`.
    public var contentType: String?

    /// The field `Content-Encoding`.
    public var contentEncoding: String?

    /// Whether it came by a way that operators alone have, and may see what is not public.
    public var isInternal = false

    /// Reads the body; throws a 413 above the limit, a 411 without a length, and a 400 when it did
    /// not come whole.
    public var body: () throws -> [UInt8] = { [] }

    /// The id that ties the answer to the log lines of nginx and ours.
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

/// A request method that routes know (RFC 9110, section 9).
public enum Method: String, Sendable {
    /// Reads.
    case get = "GET"
    /// Reads the header fields only; answered wherever GET is.
    case head = "HEAD"
    /// Has a body processed.
    case post = "POST"
    /// Asks for the methods.
    case options = "OPTIONS"
}
