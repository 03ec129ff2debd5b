/// What answers one method on a path.
public struct Action<Service>: Sendable {
    /// What a client must be allowed to do; nil where everybody may.
    public let scope: String?

    /// Answers; throws a `Problem`, or any other error for a 500.
    public let answer: @Sendable (Request, Service) throws -> Response

    /// Makes an action.
    public init(
        _ scope: String?, _ answer: @escaping @Sendable (Request, Service) throws -> Response
    ) {
        self.scope = scope
        self.answer = answer
    }
}

/// One line of the route table: a path and what answers on it.
public struct Route<Service>: Sendable {
    /// The path; a last part in braces, as in `/usage/{message_id}`, stands for any one part.
    public let path: String

    /// What answers GET, and HEAD too.
    public let get: Action<Service>?

    /// What answers POST.
    public let post: Action<Service>?

    /// Makes a route.
    public init(_ path: String, get: Action<Service>? = nil, post: Action<Service>? = nil) {
        self.path = path
        self.get = get
        self.post = post
    }

    /// The value of `Allow`.
    var allow: String {
        let methods: [Method] = (get == nil ? [] : [.get, .head]) + (post == nil ? [] : [.post])
        return (methods + [.options]).map(\.rawValue).joined(separator: ", ")
    }
}

/// Finds what answers a request.
public struct Router<Service> {
    private let exact: [String: Route<Service>]
    private let open: [(prefix: String, route: Route<Service>)]

    /// Makes a router of the table; no path may stand in it twice.
    public init(_ table: [Route<Service>]) {
        exact = Dictionary(uniqueKeysWithValues: table.map { ($0.path, $0) })
        open = table.filter { $0.path.hasSuffix("}") }.map { route in
            (route.path.prefix { $0 != "{" }.description, route)
        }
    }

    /// The action for `request`; nil when OPTIONS is to be answered with `options`.
    ///
    /// Throws a problem: 404 or 405.
    public func action(for request: Request) throws(Problem) -> Action<Service>? {
        let route = try route(for: request.path)
        let action: Action<Service>? =
            switch Method(rawValue: request.method) {
            case .options: nil
            case .get, .head: route.get
            case .post: route.post
            case nil: nil
            }
        guard action != nil || request.method == Method.options.rawValue else {
            throw Problem(
                .methodNotAllowed, "This path answers \(route.allow) only.",
                fields: [("Allow", route.allow)])
        }
        return action
    }

    /// The answer to OPTIONS on `path`.
    public func options(_ path: String) throws(Problem) -> Response {
        Response(.noContent, fields: [("Allow", try route(for: path).allow)])
    }

    private func route(for path: String) throws(Problem) -> Route<Service> {
        if let route = exact[path], !path.contains("{") { return route }
        for (prefix, route) in open where path.hasPrefix(prefix) {
            let rest = path.utf8.dropFirst(prefix.utf8.count)
            if !rest.isEmpty && !rest.contains(UInt8(ascii: "/")) { return route }
        }
        throw Problem(.notFound, "There is nothing at this path.")
    }
}
