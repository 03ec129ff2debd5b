/// A response: status, header fields, and a body that is complete or streamed.
public struct Response {
    /// The bytes after the header fields.
    public enum Body {
        /// The complete body.
        case bytes([UInt8])
        /// Writes the body piece by piece; an error aborts the response.
        case stream((BodyWriter) throws -> Void)
    }

    /// The status.
    public var status: Status

    /// Header fields in the order in which they are sent, without `Content-Length`.
    public var fields: [(name: String, value: String)]

    /// The body; not sent in response to HEAD.
    public var body: Body

    /// The source of the response to a query.
    public enum Origin: String, Sendable {
        /// The client's cache: 304.
        case client
        /// The response cache.
        case memory
        /// PostgreSQL.
        case database
    }

    /// The source, for the operator's log; not sent.
    public var origin: Origin?

    /// The causes of an error status, for the operator's log; not sent.
    public var causes: [String] = []

    /// Makes a response; without `contentType`, its body is empty.
    public init(
        _ status: Status, contentType: String? = nil,
        fields: [(name: String, value: String)] = [], body: Body = .bytes([])
    ) {
        self.status = status
        self.fields = (contentType.map { [("Content-Type", $0)] } ?? []) + fields
        self.body = body
    }

    /// The head of a CGI response: status line, header fields and an empty line.
    public var head: [UInt8] {
        var head: [UInt8] = []
        head.reserveCapacity(1024)
        head += "Status: \(status.code) \(status.phrase)\r\n".utf8
        for (name, value) in fields { Self.append(name, value, to: &head) }
        if case .bytes(let bytes) = body, !status.isBodiless {
            Self.append("Content-Length", String(bytes.count), to: &head)
        }
        head += "\r\n".utf8
        return head
    }

    /// Appends each part separately: building a line first costs more than everything else here.
    private static func append(_ name: String, _ value: String, to head: inout [UInt8]) {
        head += name.utf8
        head += ": ".utf8
        head += value.utf8
        head += "\r\n".utf8
    }
}
