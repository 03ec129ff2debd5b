/// One line of the route table: a path and what answers GET on it.
public struct Route<Service>: Sendable {
    /// The exact path.
    public let path: String

    /// Whether the answer can be long, so that it must not take the last free worker.
    public let isBulk: Bool

    /// Answers; throws a `Problem`, or any other error for a 500.
    public let answer: @Sendable (Request, Service) throws -> Response

    /// Makes a route for GET and HEAD.
    public init(
        _ path: String, isBulk: Bool = false,
        _ answer: @escaping @Sendable (Request, Service) throws -> Response
    ) {
        self.path = path
        self.isBulk = isBulk
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
    /// Throws a problem: 404, 405, or 400 for a query parameter, since no route has one yet.
    public func route(for request: Request) throws(Problem) -> Route<Service>? {
        guard let route = routes[request.path] else {
            throw Problem(.notFound, "There is nothing at this path.")
        }
        guard let method = Method(rawValue: request.method) else {
            throw Problem(
                .methodNotAllowed, "This path answers \(allow) only.", fields: [("Allow", allow)])
        }
        if method == .options { return nil }
        try refuseParameters(of: request)
        return route
    }

    /// The answer to OPTIONS.
    public var optionsResponse: Response { Response(.noContent, fields: [("Allow", allow)]) }

    private var allow: String { methods.map(\.rawValue).joined(separator: ", ") }

    private func refuseParameters(of request: Request) throws(Problem) {
        let parameters = QueryString(request.query).parameters
        guard !parameters.isEmpty else { return }
        var seen: Set<String> = []
        let distinct = parameters.filter { seen.insert($0.name ?? $0.raw).inserted }
        let faults = distinct.prefix(100).map { parameter in
            if let name = parameter.name, parameter.value != nil {
                return Problem.Fault(
                    in: "query", name: name, code: "unknown",
                    message: "\(request.path) has no parameter of this name.")
            }
            return Problem.Fault(
                in: "query", name: parameter.name ?? parameter.raw, code: "malformed",
                message: "The parameter is not percent-encoded UTF-8.")
        }
        throw Problem(.badRequest, "The query has parameters that cannot be used.", faults: faults)
    }
}
