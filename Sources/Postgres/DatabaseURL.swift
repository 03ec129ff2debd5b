import CPostgres

/// A connection string, parsed before a socket is opened.
///
/// libpq takes any text that it cannot parse for the name of a local database, and repeats parts of
/// it in its messages. An ambiguous string is therefore rejected here, without repeating it.
public struct DatabaseURL: Sendable {
    /// The connection string in a form that libpq accepts.
    public let text: String

    /// The parameters that it sets, by libpq's keywords.
    let parameters: [(keyword: String, value: String)]

    /// Parses a URI with the scheme `postgresql`, `postgres` or `postgresql+DRIVER`, or libpq's
    /// keywords (`host=… dbname=…`); surrounding whitespace and one pair of quotes are ignored.
    public init(_ text: String) throws(DatabaseURLFault) {
        let text = unquoted(text)
        let uri = Self.afterScheme(text)
        if let uri, Self.isAmbiguous(uri) { throw .encoding }
        if uri == nil, text.contains("://"), !text.contains("=") { throw .kind }
        self.text = uri.map { "postgresql://\($0)" } ?? text
        // Without libpq's own message, which would repeat parts of the text.
        guard let parameters = Self.parameters(PQconninfoParse(self.text, nil)) else {
            throw uri == nil ? .kind : .encoding
        }
        self.parameters = parameters
        try checkWhatIsShown()
    }

    /// Host, port and database name appear in messages: they must not contain part of a password.
    private func checkWhatIsShown() throws(DatabaseURLFault) {
        for (keyword, value) in parameters {
            let items = value.split(separator: ",", omittingEmptySubsequences: false)
            switch keyword {
            case "host" where !items.allSatisfy(Self.isHost): throw .encoding
            case "hostaddr" where !items.allSatisfy(Self.isHost): throw .encoding
            case "port" where !items.allSatisfy(Self.isPort): throw .port
            case "dbname" where value.contains("://") || value.contains("="): throw .encoding
            default: break
            }
        }
    }

    /// The text after the scheme of a PostgreSQL URI; nil for any other text.
    private static func afterScheme(_ text: String) -> Substring? {
        let scheme = text.prefix { $0 != ":" }
        let rest = text[scheme.endIndex...]
        // SQLAlchemy appends its driver: postgresql+asyncpg.
        let name = scheme.prefix { $0 != "+" }.lowercased()
        guard rest.hasPrefix("://"), name == "postgresql" || name == "postgres" else { return nil }
        return rest.dropFirst(3)
    }

    /// Whether an unencoded reserved character makes libpq split the URI at an unintended place.
    private static func isAmbiguous(_ uri: Substring) -> Bool {
        let beforeQuery = uri.prefix { $0 != "?" }
        let authority = beforeQuery.prefix { $0 != "/" }
        let path = beforeQuery.dropFirst(authority.count + 1)
        // libpq ends user and password at the first of these, even after a `?`.
        let end = uri.firstIndex { $0 == "@" || $0 == "/" } ?? uri.endIndex
        let isQueryTakenForUser = uri[end...].hasPrefix("@") && uri[..<end].contains("?")
        return isQueryTakenForUser || uri.contains(where: \.isWhitespace)
            || authority.count { $0 == "@" } > 1 || path.contains { "@/:".contains($0) }
    }

    private static func isHost(_ item: Substring) -> Bool {
        // A socket's directory, or its abstract name.
        if item.hasPrefix("/") || item.hasPrefix("@") { return true }
        return item.allSatisfy { $0.isLetter || $0.isNumber || ".-_:%".contains($0) }
    }

    private static func isPort(_ item: Substring) -> Bool {
        item.isEmpty || UInt16(item).map { $0 > 0 } ?? false
    }

    /// The parameters that libpq returns, which are freed; nil for none.
    static func parameters(
        _ options: UnsafeMutablePointer<PQconninfoOption>?
    ) -> [(keyword: String, value: String)]? {
        guard let options else { return nil }
        defer { PQconninfoFree(options) }
        var parameters: [(keyword: String, value: String)] = []
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val {
                parameters.append((String(cString: keyword), String(cString: value)))
            }
            option += 1
        }
        return parameters
    }
}

/// The reason why a connection string is rejected; never repeats any of it.
public enum DatabaseURLFault: Error {
    /// It is neither a PostgreSQL URI nor libpq's keywords.
    case kind
    /// A character in it is not percent-encoded, or is in the wrong place.
    case encoding
    /// The port is not a number.
    case port

    /// The expected form, to follow the name of the setting.
    public var description: String {
        let hint =
            "in user and password write % as %25, @ as %40, / as %2F, : as %3A, # as %23, ? as %3F"
        return switch self {
        case .kind:
            "must be postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or libpq's keywords "
                + "(host=HOST dbname=DATABASE user=USER)"
        case .encoding:
            "is not a valid connection string: after ? only libpq's parameters may follow, such as "
                + "sslmode=require; \(hint)"
        case .port: "must have a number from 1 to 65535 as its port; \(hint)"
        }
    }
}

private func unquoted(_ text: String) -> String {
    let text = trimmed(text[...])
    guard text.count >= 2, let quote = text.first, quote == "\"" || quote == "'",
        text.last == quote
    else { return String(text) }
    return String(trimmed(text.dropFirst().dropLast()))
}

private func trimmed(_ text: Substring) -> Substring {
    var text = text.drop(while: \.isWhitespace)
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
}
