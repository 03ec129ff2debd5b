import CFastCGI
import Glibc

/// The web server's end of one exchange, for tools that query a responder directly.
public enum Client {
    /// The maximum length of a response.
    private static let responseLimit = 16 << 20

    /// Sends a request without a body to the responder at `socketPath`; returns the response in
    /// the form of a CGI program.
    ///
    /// Throws `ETIMEDOUT` after `seconds` without a byte, and `EPROTO` if the response is aborted.
    public static func answer(
        _ socketPath: String, _ parameters: [(name: String, value: String)], seconds: Int
    ) throws(FastCGIError) -> [UInt8] {
        try response(over: try Listener.connection(to: socketPath), parameters, seconds: seconds)
    }

    /// The same over a connection, which it closes.
    static func response(
        over connection: Int32, _ parameters: [(name: String, value: String)], seconds: Int
    ) throws(FastCGIError) -> [UInt8] {
        defer { close(connection) }
        try send(FastCGIRecord.request(parameters), to: connection)
        var reader = Reader(connection: connection, seconds: seconds)
        var response: [UInt8] = []
        while response.count < responseLimit {
            let header = try reader.next(Int(FCGI_HEADER_LEN))
            guard header[0] == UInt8(FCGI_VERSION_1) else { break }
            let length = Int(header[4]) << 8 | Int(header[5])
            let content = try reader.next(length)
            _ = try reader.next(Int(header[6]))
            switch Int32(header[1]) {
            case FCGI_STDOUT: response += content
            case FCGI_END_REQUEST: return response
            default: continue
            }
        }
        throw FastCGIError("read", EPROTO)
    }

    private static func send(_ bytes: [UInt8], to connection: Int32) throws(FastCGIError) {
        // A request of some hundred bytes fits into any socket buffer.
        let count = Glibc.send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        guard count == bytes.count else { throw FastCGIError("send") }
    }

    /// Reads a connection.
    private struct Reader {
        let connection: Int32
        let seconds: Int
        var buffer: [UInt8] = []

        /// Waits for the next `count` bytes.
        mutating func next(_ count: Int) throws(FastCGIError) -> [UInt8] {
            while buffer.count < count {
                var event = pollfd(fd: connection, events: Int16(POLLIN), revents: 0)
                let ready = poll(&event, 1, Int32(seconds) * 1000)
                if ready < 0 && errno == EINTR { continue }
                guard ready > 0 else { throw FastCGIError("read", ETIMEDOUT) }
                var piece = [UInt8](repeating: 0, count: 64 * 1024)
                let received = recv(connection, &piece, piece.count, 0)
                guard received > 0 else { throw FastCGIError("read", EPROTO) }
                buffer += piece[..<received]
            }
            defer { buffer.removeFirst(count) }
            return Array(buffer[..<count])
        }
    }
}

extension FastCGIRecord {
    /// A whole request without a body, whose connection ends with its response.
    fileprivate static func request(_ parameters: [(name: String, value: String)]) -> [UInt8] {
        var pairs: [UInt8] = []
        for (name, value) in parameters {
            // Shorter than 128 bytes, lengths take one byte (section 3.4).
            precondition(name.utf8.count < 128 && value.utf8.count < 128, "too long: \(name)")
            pairs += [UInt8(name.utf8.count), UInt8(value.utf8.count)] + name.utf8 + value.utf8
        }
        let begin = [0, UInt8(FCGI_RESPONDER), 0, 0, 0, 0, 0, 0]
        return header(FCGI_BEGIN_REQUEST, requestID: 1, contentLength: begin.count) + begin
            + header(FCGI_PARAMS, requestID: 1, contentLength: pairs.count) + pairs
            + header(FCGI_PARAMS, requestID: 1, contentLength: 0)
            + header(FCGI_STDIN, requestID: 1, contentLength: 0)
    }
}
