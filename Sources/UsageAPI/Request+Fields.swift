import HTTP

extension Request {
    /// The value of `Content-Disposition`, with a file name that describes the content:
    /// `usage_2024-10-01_2024-11-01_Europe-London.csv`.
    var contentDisposition: String {
        let parameters = QueryString(query).parameters
        let values = ["from", "to", "tz"].compactMap { name in
            parameters.first { $0.name == name }?.value
        }
        // Spaces, slashes and colons are not portable in file names.
        let name = (["usage"] + values).joined(separator: "_").utf8.compactMap { byte -> String? in
            if byte == UInt8(ascii: ":") { return nil }
            return URLText.isUnreserved(byte) ? String(UnicodeScalar(byte)) : "-"
        }
        return "attachment; filename=\"\(name.joined()).csv\""
    }

    /// The maximum length of a link; nginx would reject a request with a longer URL.
    private static let linkLimit = 30_000

    /// The value of `Link` for the next page: the same query with another cursor.
    func linkToNext(cursor: String) -> String? {
        let kept = QueryString(query).parameters.filter { $0.name != "cursor" }
            .map { URLText.encoded($0.raw, keeping: "%&=+:,/@!$'()*;") }
        let path = URLText.encoded(pathPrefix + self.path, keeping: "/")
        let target = "\(path)?\((kept + ["cursor=\(cursor)"]).joined(separator: "&"))"
        return target.utf8.count > Self.linkLimit ? nil : "<\(target)>; rel=\"next\""
    }
}
