import HTTP
import Testing

@Suite struct `A router` {
    private let router = Router<Void>([
        Route(
            "/usage", get: Action("r") { _, _ in Response(.ok, fields: []) },
            post: Action("w") { _, _ in Response(.ok, fields: []) }),
        Route("/usage/summary", get: Action(nil) { _, _ in Response(.ok, fields: []) }),
        Route("/usage/{message_id}", get: Action("one") { _, _ in Response(.ok, fields: []) }),
    ])

    private func request(_ method: String, _ path: String, query: String = "") -> Request {
        Request(method: method, path: path, query: query, requestID: "id")
    }

    private func problem(_ request: Request) -> Problem? {
        do throws(Problem) {
            _ = try router.action(for: request)
            return nil
        } catch {
            return error
        }
    }

    @Test func `finds the action of a method, HEAD being GET`() throws {
        #expect(try router.action(for: request("GET", "/usage"))?.scope == "r")
        #expect(try router.action(for: request("HEAD", "/usage", query: "&"))?.scope == "r")
        #expect(try router.action(for: request("POST", "/usage"))?.scope == "w")
    }

    @Test func `prefers an exact path to one with an open part`() throws {
        #expect(try router.action(for: request("GET", "/usage/summary"))?.scope == nil)
        for path in ["/usage/1", "/usage/-1", "/usage/summary2", "/usage/{message_id}"] {
            #expect(try router.action(for: request("GET", path))?.scope == "one")
        }
    }

    @Test(arguments: [
        ("/usage", "GET, HEAD, POST, OPTIONS"), ("/usage/summary", "GET, HEAD, OPTIONS"),
        ("/usage/7", "GET, HEAD, OPTIONS"),
    ])
    func `answers OPTIONS with the methods`(path: String, allow: String) throws {
        #expect(try router.action(for: request("OPTIONS", path, query: "x")) == nil)
        #expect(
            String(decoding: try router.options(path).head, as: UTF8.self)
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

    @Test(arguments: ["PUT", "DELETE", "get", "", "TRACE", "PATCH"])
    func `refuses other methods and names its own`(method: String) {
        let problem = problem(request(method, "/usage"))
        #expect(problem?.status == .methodNotAllowed)
        #expect(problem?.fields.map(\.value) == ["GET, HEAD, POST, OPTIONS"])
    }

    @Test func `refuses a method that only another path has`() {
        #expect(problem(request("POST", "/usage/7"))?.fields.map(\.value) == ["GET, HEAD, OPTIONS"])
    }
}
