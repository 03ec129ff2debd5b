import FastCGI
import HTTP

extension Request {
    /// Copies the request out of the CGI meta-variables (RFC 3875, section 4.1).
    ///
    /// The path is `PATH_INFO` behind a CGI script's own name, else `SCRIPT_NAME`. The id is the
    /// one that nginx gave and logs, else a new one.
    init(_ exchange: any Exchange) {
        self.init(
            method: exchange.parameter("REQUEST_METHOD") ?? "",
            path: exchange.parameter("PATH_INFO") ?? exchange.parameter("SCRIPT_NAME") ?? "/",
            query: exchange.parameter("QUERY_STRING") ?? "",
            requestID: exchange.parameter("REQUEST_ID").flatMap(validated) ?? newRequestID())
    }
}

/// An id goes into log lines, so it may be letters, digits and dashes only.
private func validated(_ id: String) -> String? {
    let isPlain = id.utf8.allSatisfy { Character(UnicodeScalar($0)).isASCIIWordOrDash }
    return isPlain && id.utf8.count <= 64 ? id : nil
}

private func newRequestID() -> String {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

extension Character {
    fileprivate var isASCIIWordOrDash: Bool {
        isASCII && (isLetter || isNumber || self == "-" || self == "_")
    }
}
