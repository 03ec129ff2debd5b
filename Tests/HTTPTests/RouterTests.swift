import HTTP
import Testing

@Suite struct `A router` {
    private let router = Router<Void>([
        Route("/usage", isBulk: true) { _, _ in Response(.ok, fields: [("X", "usage")]) }
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
        #expect(try router.route(for: request("GET", "/usage"))?.isBulk == true)
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

    @Test func `names every parameter, once`() {
        let problem = problem(request("GET", "/usage", query: "limit=5&limit=6&x=%zz&na+me"))
        #expect(problem?.status == .badRequest)
        #expect(
            problem?.faults == [
                Problem.Fault(
                    in: "query", name: "limit", code: "unknown",
                    message: "/usage has no parameter of this name."),
                Problem.Fault(
                    in: "query", name: "x", code: "malformed",
                    message: "The parameter is not percent-encoded UTF-8."),
                Problem.Fault(
                    in: "query", name: "na me", code: "unknown",
                    message: "/usage has no parameter of this name."),
            ])
    }

    @Test func `names a hundred parameters at the most`() {
        let query = (1...1000).map { "p\($0)" }.joined(separator: "&")
        #expect(problem(request("GET", "/usage", query: query))?.faults.count == 100)
    }
}
