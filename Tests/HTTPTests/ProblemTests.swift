import HTTP
import Testing

@Suite struct `A problem` {
    @Test func `is a response of RFC 9457`() {
        let fault = Problem.Fault(in: "query", name: "a\"b", code: .unknown, message: "No.")
        let problem = Problem(.badRequest, "It is wrong.", faults: [fault])
        let response = problem.response(instance: "/usage", requestID: "7f")
        #expect(
            String(decoding: response.head, as: UTF8.self) == """
                Status: 400 Bad Request\r
                Content-Type: application/problem+json\r
                Cache-Control: no-store\r
                Content-Length: 192\r
                \r

                """)
        guard case .bytes(let body) = response.body else { return #expect(Bool(false)) }
        #expect(
            String(decoding: body, as: UTF8.self) == #"""
                {"type":"about:blank","title":"Bad Request","status":400,"detail":"It is wrong.","instance":"/usage","request_id":"7f","errors":[{"in":"query","name":"a\"b","code":"unknown","message":"No."}]}
                """#)
    }

    @Test func `of an unavailable service says when to come again`() {
        let problem = Problem.unavailable("Busy.", retryAfterSeconds: 1)
        #expect(problem.status.code == 503)
        #expect(problem.fields.map(\.name) == ["Retry-After"])
    }
}
