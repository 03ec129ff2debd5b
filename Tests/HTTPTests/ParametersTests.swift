import HTTP
import Testing

@Suite struct `The parameters of a request` {
    private func parameters(_ query: String) -> Parameters {
        Parameters(Request(method: "GET", path: "/usage", query: query, requestID: "id"))
    }

    private func faults(_ parameters: Parameters) -> [Problem.Fault] {
        var parameters = parameters
        do throws(Problem) {
            try parameters.end()
            return []
        } catch {
            return error.status == .badRequest ? error.faults : []
        }
    }

    @Test func `are read by name, decoded, and leave no fault`() throws {
        var parameters = parameters("report_name=a%26b&limit=5&report_name=c+d&&x")
        #expect(parameters.values("report_name") == ["a&b", "c d"])
        #expect(parameters.value("limit", expected: "a number") { Int($0) } == 5)
        #expect(parameters.value("x") == "")
        #expect(parameters.value("y") == nil)
        #expect(parameters.isSound)
        try parameters.end()
    }

    @Test func `are refused together, each fault with its own name and code`() {
        var parameters = parameters("limit=x&tz=a&tz=b&z=%00&v=%zz&na+me&na+me")
        #expect(parameters.value("limit", expected: "a number") { Int($0) } == nil)
        #expect(parameters.value("tz") == nil)
        #expect(parameters.value("z") == nil)
        #expect(!parameters.isSound)
        #expect(
            faults(parameters).map { "\($0.location) \($0.name) \($0.code): \($0.message)" } == [
                "query v malformed: The parameter is not valid percent-encoded UTF-8.",
                "query limit malformed: limit must be a number.",
                "query tz repeated: tz must not be repeated.",
                "query z malformed: z contains a NUL character.",
                "query na me unknown: Unknown parameter; /usage accepts limit, tz, z.",
            ])
    }

    @Test func `are named up to a hundred`() {
        let query = (1...1000).map { "p\($0)" }.joined(separator: "&")
        #expect(faults(parameters(query)).count == 100)
    }

    @Test func `are refused at once, however many marks stand on a letter of their name`() {
        let marks = String(repeating: "\u{301}\u{323}", count: 50_000)
        let begin = ContinuousClock.now
        #expect(faults(parameters("a\(marks)")).first?.name.unicodeScalars.count == 101)
        #expect(ContinuousClock.now - begin < .seconds(2))
    }
}
