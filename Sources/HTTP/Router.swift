/// The handler of one method on a path.
public struct Action<Principal, Service>: Sendable {
    /// The required scope; nil if no authorisation is required.
    public let scope: String?

    /// Handles a request; throws a `Problem`, or any other error for a 500.
    public let handle: @Sendable (Request, Principal, Service) throws -> Response

    /// Makes an action.
    public init(
        _ scope: String?,
        _ handle: @escaping @Sendable (Request, Principal, Service) throws -> Response
    ) {
        self.scope = scope
        self.handle = handle
    }
}

/// An entry of the route table: a path and its actions.
public struct Route<Principal, Service>: Sendable {
    /// The path; a segment in braces, as in `/usage/{message_id}`, matches any one segment.
    public let path: String

    /// Whether all clients may use it; otherwise, only internal requests may.
    public let isPublic: Bool

    /// The action for GET and HEAD.
    public let get: Action<Principal, Service>?

    /// The action for POST.
    public let post: Action<Principal, Service>?

    /// Makes a route.
    public init(
        _ path: String, isPublic: Bool = true, get: Action<Principal, Service>? = nil,
        post: Action<Principal, Service>? = nil
    ) {
        self.path = path
        self.isPublic = isPublic
        self.get = get
        self.post = post
    }

    /// The methods that it supports.
    public var methods: [Method] {
        (get == nil ? [] : [.get, .head]) + (post == nil ? [] : [.post]) + [.options]
    }

    /// The value of `Allow`.
    private var allow: String { methods.map(\.rawValue).joined(separator: ", ") }

    /// The action for `method`; nil for OPTIONS, whose response is `options`.
    ///
    /// Throws a 405 if the method is not supported.
    public func action(for method: String) throws(Problem) -> Action<Principal, Service>? {
        let action: Action<Principal, Service>? =
            switch Method(rawValue: method) {
            case .options: nil
            case .get, .head: get
            case .post: post
            case nil: nil
            }
        guard action != nil || method == Method.options.rawValue else {
            throw Problem(
                .methodNotAllowed, "Allowed methods: \(allow).", fields: [("Allow", allow)])
        }
        return action
    }

    /// The response to OPTIONS.
    public var options: Response { Response(.noContent, fields: [("Allow", allow)]) }
}

/// Finds the route of a request.
public struct Router<Principal, Service> {
    /// A route, and its place in the table.
    public typealias Match = (number: Int, route: Route<Principal, Service>)

    private let exact: [String: Match]
    private let open: [(prefix: String, suffix: String, match: Match)]

    /// Makes a router for the table, whose paths must be unique.
    public init(_ table: [Route<Principal, Service>]) {
        let matches = table.enumerated().map { Match($0.offset, $0.element) }
        exact = Dictionary(uniqueKeysWithValues: matches.map { ($0.route.path, $0) })
        open = matches.filter { $0.route.path.contains("{") }.map { match in
            let path = match.route.path
            return (
                String(path.prefix { $0 != "{" }), String(path.drop { $0 != "}" }.dropFirst()),
                match
            )
        }
    }

    /// The route for `request`; throws a 404 if there is none.
    public func match(for request: Request) throws(Problem) -> Match {
        if let match = match(for: request.path, request) { return match }
        // No redirect: many clients repeat a redirected POST as a GET, or without their key.
        let meant = request.path.trimmingSlashes
        guard meant != request.path, match(for: meant, request) != nil else {
            throw Problem(.notFound, "Path not found.")
        }
        let prefix = request.pathPrefix
        throw Problem(
            .notFound,
            "Path \(prefix)\(request.path) not found. Did you mean \(prefix)\(meant)?")
    }

    /// The route for `path`, unless it is hidden from `request`.
    private func match(for path: String, _ request: Request) -> Match? {
        match(for: path).flatMap { $0.route.isPublic || request.isInternal ? $0 : nil }
    }

    private func match(for path: String) -> Match? {
        if let match = exact[path], !path.contains("{") { return match }
        for (prefix, suffix, match) in open where path.hasPrefix(prefix) && path.hasSuffix(suffix) {
            let rest = path.utf8.dropFirst(prefix.utf8.count).dropLast(suffix.utf8.count)
            if !rest.isEmpty && !rest.contains(UInt8(ascii: "/")) { return match }
        }
        return nil
    }
}

extension String {
    /// The text without the slashes at its end.
    fileprivate var trimmingSlashes: String {
        var rest = utf8[...]
        while rest.last == UInt8(ascii: "/") { rest.removeLast() }
        return String(Substring(rest))
    }
}
