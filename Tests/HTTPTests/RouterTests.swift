import HTTP
import Testing

@Suite struct `A router` {
    private let router = Router<Void>([
        Route("/usage") { _, _ in Response(.ok, fields: [("X", "usage")]) }
    ])

    private func request(_ method: String, _ path: String, query: String = "") -> Request {
        Request(method: method, path: path, query: query, requestID: "id")
    }

    private func problem(_ request: Request) -> Problem? {
        do throws(Problem) {
            _ = try router.route(for: request)
            return nil
        } catch {
            return error
        }
    }

    @Test func `finds a path for GET and HEAD, with an empty query too`() throws {
        #expect(try router.route(for: request("GET", "/usage"))?.path == "/usage")
        #expect(try router.route(for: request("HEAD", "/usage", query: "&"))?.path == "/usage")
    }

    @Test func `answers OPTIONS with the methods`() throws {
        #expect(try router.route(for: request("OPTIONS", "/usage", query: "x")) == nil)
        #expect(
            String(decoding: router.optionsResponse.head, as: UTF8.self)
                == "Status: 204 No Content\r\nAllow: GET, HEAD, OPTIONS\r\n\r\n")
    }

    @Test(arguments: ["/", "/usag", "/usage/", "/USAGE", "/usage/1", "//usage", ""])
    func `knows nothing but its paths`(path: String) {
        #expect(problem(request("GET", path))?.status == .notFound)
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "get", "", "TRACE"])
    func `refuses other methods and names its own`(method: String) {
        let problem = problem(request(method, "/usage"))
        #expect(problem?.status == .methodNotAllowed)
        #expect(problem?.fields.map(\.value) == ["GET, HEAD, OPTIONS"])
    }
}
