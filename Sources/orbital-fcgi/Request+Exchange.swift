import FastCGI
import Glibc
import HTTP

extension Request {
    /// Copies the request from the CGI meta-variables (RFC 3875, section 4.1).
    ///
    /// The path is `PATH_INFO` if a CGI script's name precedes it, otherwise `SCRIPT_NAME`. The id
    /// is the one that nginx assigns and logs, otherwise a new one.
    init(_ exchange: any Exchange) {
        let script = exchange.parameter("SCRIPT_NAME")
        let path = exchange.parameter("PATH_INFO")
        self.init(
            method: exchange.parameter("REQUEST_METHOD") ?? "", path: path ?? script ?? "/",
            pathPrefix: path.map {
                prefix(of: $0, script: script ?? "", address: exchange.parameter("REQUEST_URI"))
            } ?? "",
            query: ascii(exchange.parameterBytes("QUERY_STRING") ?? []),
            accept: exchange.parameter("HTTP_ACCEPT"),
            ifNoneMatch: exchange.parameter("HTTP_IF_NONE_MATCH"),
            requestID: exchange.parameter("REQUEST_ID").flatMap(validated) ?? newRequestID())
        // Apache passes the field to CGI programs under the second name only, by a rewrite rule.
        authorization =
            exchange.parameter("HTTP_AUTHORIZATION")
            ?? exchange.parameter("REDIRECT_HTTP_AUTHORIZATION")
        // Not HTTP_REMOTE_USER, which is a header field of the client.
        remoteUser = exchange.parameter("REMOTE_USER")
        // A front end that forwards every path must not expose internal routes.
        isInternal = exchange.parameterBytes("ORBITAL_INTERNAL") != nil
        contentType = exchange.parameter("CONTENT_TYPE")
        contentEncoding = exchange.parameter("HTTP_CONTENT_ENCODING")
        idempotencyKey = exchange.parameter("HTTP_IDEMPOTENCY_KEY")
        body = {
            // CGI does not mark the end of such a body.
            if exchange.parameter("CONTENT_LENGTH") == nil,
                exchange.parameter("HTTP_TRANSFER_ENCODING") != nil
            {
                throw Problem(.lengthRequired, "Content-Length is required.")
            }
            let bytes: [UInt8]?
            do throws(FastCGIError) {
                bytes = try exchange.readBody(upTo: Self.bodyLimitBytes)
            } catch {
                throw Problem(.badRequest, "The request body is incomplete.")
            }
            guard let bytes else {
                throw Problem(.contentTooLarge, "The request body exceeds 8 MiB.")
            }
            return bytes
        }
    }

    /// The same as nginx's `client_max_body_size`.
    private static let bodyLimitBytes = 8 << 20
}

extension Exchange {
    /// Whether the client has disconnected.
    var isClientGone: Bool {
        guard let clientDescriptor else { return false }
        var event = pollfd(fd: clientDescriptor, events: 0, revents: 0)
        return poll(&event, 1, 0) > 0
    }
}

/// The query with non-ASCII bytes percent-encoded, as they should have been sent; the decoder then
/// detects invalid UTF-8.
private func ascii(_ query: [UInt8]) -> String {
    if query.allSatisfy({ $0 < 0x80 }) { return String(decoding: query, as: UTF8.self) }
    return query.map { byte in
        byte < 0x80 ? String(UnicodeScalar(byte)) : "%" + String(byte, radix: 16, uppercase: true)
    }.joined()
}

/// The text before `path` in the client's URL: the script's name, unless a rewrite rule hides it.
private func prefix(of path: String, script: String, address: String?) -> String {
    guard let address = address?.prefix(while: { $0 != "?" }), address.hasSuffix(path) else {
        return script
    }
    let prefix = address.dropLast(path.count)
    // It comes from the client: "//host" would be the name of another server.
    guard !prefix.hasPrefix("//"), prefix.isEmpty || prefix.hasPrefix("/"),
        prefix.utf8.allSatisfy({ isWordOrDash($0) || $0 == 0x2e || $0 == 0x2f })
    else { return script }
    return String(prefix)
}

/// Ids are logged, so only letters, digits, dashes and underscores are allowed.
private func validated(_ id: String) -> String? {
    id.utf8.count <= 64 && id.utf8.allSatisfy(isWordOrDash) ? id : nil
}

private func isWordOrDash(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x5f: true
    default: false
    }
}

private func newRequestID() -> String {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
