/// One line of the route table: a path and what answers GET on it.
public struct Route<Service>: Sendable {
    /// The exact path.
    public let path: String

    /// Answers; throws a `Problem`, or any other error for a 500.
    public let answer: @Sendable (Request, Service) throws -> Response

    /// Makes a route for GET and HEAD.
    public init(
        _ path: String, _ answer: @escaping @Sendable (Request, Service) throws -> Response
    ) {
        self.path = path
        self.answer = answer
    }
}

/// Finds the route for a request.
public struct Router<Service> {
    private let routes: [String: Route<Service>]
    private let methods = [Method.get, .head, .options]

    /// Makes a router of the table; no path may stand in it twice.
    public init(_ table: [Route<Service>]) {
        routes = Dictionary(uniqueKeysWithValues: table.map { ($0.path, $0) })
    }

    /// The route for `request`; nil when OPTIONS is to be answered with `optionsResponse`.
    ///
    /// Throws a problem: 404 or 405.
    public func route(for request: Request) throws(Problem) -> Route<Service>? {
        guard let route = routes[request.path] else {
            throw Problem(.notFound, "There is nothing at this path.")
        }
        guard let method = Method(rawValue: request.method) else {
            throw Problem(
                .methodNotAllowed, "This path answers \(allow) only.", fields: [("Allow", allow)])
        }
        return method == .options ? nil : route
    }

    /// The answer to OPTIONS.
    public var optionsResponse: Response { Response(.noContent, fields: [("Allow", allow)]) }

    private var allow: String { methods.map(\.rawValue).joined(separator: ", ") }
}
