/// An answer: status, header fields, and a body that is whole or still to be streamed.
public struct Response {
    /// What follows the header fields.
    public enum Body {
        /// The whole body.
        case bytes([UInt8])
        /// Writes the body piece by piece; throwing ends it visibly broken.
        case stream((BodyWriter) throws -> Void)
    }

    /// The status.
    public var status: Status

    /// Header fields in the order they are sent, without `Content-Length`.
    public var fields: [(name: String, value: String)]

    /// The body; not sent in answer to HEAD.
    public var body: Body

    /// Where the response to a query comes from.
    public enum Origin: String, Sendable {
        /// The client has it: 304.
        case client
        /// It was cached.
        case memory
        /// It was read from PostgreSQL.
        case database
    }

    /// Where it comes from, for the operator's log; not sent.
    public var origin: Origin?

    /// Why the status is an error, for the operator's log; not sent.
    public var causes: [String] = []

    /// Makes an answer with a body of `contentType`.
    public init(
        _ status: Status, contentType: String, fields: [(name: String, value: String)] = [],
        body: Body
    ) {
        self.status = status
        self.fields = [("Content-Type", contentType)] + fields
        self.body = body
    }

    /// Makes an answer with these fields and no other, and without a body unless one is given.
    public init(
        _ status: Status, fields: [(name: String, value: String)], body: Body = .bytes([])
    ) {
        self.status = status
        self.fields = fields
        self.body = body
    }

    /// The status line and header fields of a CGI response, with the empty line that ends them.
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

    /// Piece by piece: to put a line together first costs more than all the rest.
    private static func append(_ name: String, _ value: String, to head: inout [UInt8]) {
        head += name.utf8
        head += ": ".utf8
        head += value.utf8
        head += "\r\n".utf8
    }
}
