import FastCGI
import HTTP

extension Request {
    /// Copies the request out of the CGI meta-variables (RFC 3875, section 4.1).
    ///
    /// The path is `PATH_INFO` behind a CGI script's own name, else `SCRIPT_NAME`. The id is the
    /// one that nginx gave and logs, else a new one.
    init(_ exchange: any Exchange) {
        let script = exchange.parameter("SCRIPT_NAME")
        let path = exchange.parameter("PATH_INFO")
        self.init(
            method: exchange.parameter("REQUEST_METHOD") ?? "", path: path ?? script ?? "/",
            pathPrefix: path == nil ? "" : script ?? "",
            query: exchange.parameter("QUERY_STRING") ?? "",
            accept: exchange.parameter("HTTP_ACCEPT"),
            ifNoneMatch: exchange.parameter("HTTP_IF_NONE_MATCH"),
            requestID: exchange.parameter("REQUEST_ID").flatMap(validated) ?? newRequestID())
    }
}

/// An id goes into log lines, so it may be letters, digits, dashes and underscores only.
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
