import HTTP
import Testing

@Suite struct `A router` {
    private let router = Router<Void, Void>([
        Route(
            "/usage", get: Action("r") { _, _, _ in Response(.ok, fields: []) },
            post: Action("w") { _, _, _ in Response(.ok, fields: []) }),
        Route("/usage/summary", get: Action(nil) { _, _, _ in Response(.ok, fields: []) }),
        Route("/usage/{message_id}", get: Action("one") { _, _, _ in Response(.ok, fields: []) }),
        Route(
            "/inside", isPublic: false, get: Action(nil) { _, _, _ in Response(.ok, fields: []) }),
    ])

    private func request(_ method: String, _ path: String, query: String = "") -> Request {
        Request(method: method, path: path, query: query, requestID: "id")
    }

    private func action(_ request: Request) throws(Problem) -> Action<Void, Void>? {
        try router.match(for: request).route.action(for: request.method)
    }

    private func problem(_ request: Request) -> Problem? {
        do throws(Problem) {
            _ = try action(request)
            return nil
        } catch {
            return error
        }
    }

    @Test func `finds the action of a method, HEAD being GET`() throws {
        #expect(try action(request("GET", "/usage"))?.scope == "r")
        #expect(try action(request("HEAD", "/usage", query: "&"))?.scope == "r")
        #expect(try action(request("POST", "/usage"))?.scope == "w")
    }

    @Test func `prefers an exact path to one with an open part`() throws {
        #expect(try action(request("GET", "/usage/summary"))?.scope == nil)
        for path in ["/usage/1", "/usage/-1", "/usage/summary2", "/usage/{message_id}"] {
            #expect(try action(request("GET", path))?.scope == "one")
        }
    }

    @Test(arguments: [
        ("/usage", "GET, HEAD, POST, OPTIONS"), ("/usage/summary", "GET, HEAD, OPTIONS"),
        ("/usage/7", "GET, HEAD, OPTIONS"),
    ])
    func `responds to OPTIONS with the methods`(path: String, allow: String) throws {
        #expect(try action(request("OPTIONS", path, query: "x")) == nil)
        #expect(
            String(
                decoding: try router.match(for: request("OPTIONS", path)).route.options.head,
                as: UTF8.self)
                == "Status: 204 No Content\r\nAllow: \(allow)\r\n\r\n")
    }

    @Test(arguments: [
        "/", "/usag", "/usage/", "/USAGE", "/usage/1/2", "/usage//", "//usage", "",
        "/usage/summary/",
    ])
    func `knows nothing but its paths`(path: String) {
        #expect(problem(request("GET", path))?.status == .notFound)
        #expect(problem(request("OPTIONS", path))?.status == .notFound)
    }

    @Test(arguments: [
        ("/usage/", "/usage"), ("/usage//", "/usage"), ("/usage/1/", "/usage/1"),
        ("/usage/summary/", "/usage/summary"),
    ])
    func `says which path was meant when a slash ends it`(path: String, meant: String) {
        var request = request("POST", path)
        request.pathPrefix = "/orbital.cgi"
        #expect(
            problem(request)?.detail
                == "Path /orbital.cgi\(path) not found. Did you mean /orbital.cgi\(meant)?")
    }

    @Test(arguments: ["/", "/inside/", "/usage/1/2/", "//", "/x/"])
    func `suggests no path that is not there, or not public`(path: String) {
        #expect(problem(request("GET", path))?.detail == "Path not found.")
    }

    @Test(arguments: ["PUT", "DELETE", "get", "", "TRACE", "PATCH"])
    func `refuses other methods and names its own`(method: String) {
        let problem = problem(request(method, "/usage"))
        #expect(problem?.status == .methodNotAllowed)
        #expect(problem?.fields.map(\.value) == ["GET, HEAD, POST, OPTIONS"])
    }

    @Test func `refuses a method that only another path has`() {
        #expect(problem(request("POST", "/usage/7"))?.fields.map(\.value) == ["GET, HEAD, OPTIONS"])
    }

    @Test(arguments: ["GET", "OPTIONS", "POST"])
    func `shows what is not public to internal requests only`(method: String) throws {
        var request = request(method, "/inside")
        #expect(problem(request)?.status == .notFound)
        request.isInternal = true
        let match = try router.match(for: request)
        #expect(match.number == 3 && match.route.path == "/inside")
    }
}
