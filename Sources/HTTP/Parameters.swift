/// Parses the parameters of a request one by one and collects every fault for one response.
///
/// After all known parameters are taken, `end` rejects the rest.
public struct Parameters {
    private let path: String
    private let sent: [QueryString.Parameter]
    private var left: [QueryString.Parameter]
    private var faults: [Problem.Fault] = []
    private var known: [String] = []

    /// The maximum number of faults in one response.
    public static let faultLimit = 100

    /// Starts with all parameters of `request`.
    public init(_ request: Request) {
        path = request.path
        sent = QueryString(request.query).parameters
        left = sent
        let broken = sent.filter { $0.name == nil || $0.value == nil }
        for parameter in broken {
            fault(
                parameter.name ?? parameter.raw, .malformed,
                "The parameter is not valid percent-encoded UTF-8.")
        }
        left.removeAll { $0.name == nil || $0.value == nil }
    }

    /// Whether no fault has been found so far.
    public var isSound: Bool { faults.isEmpty }

    /// The first parameter of this name as it was sent, whether it is taken or not.
    public func given(_ name: String) -> QueryString.Parameter? { sent.first { $0.name == name } }

    /// Takes all values of `name`, in the order in which they were sent.
    public mutating func values(_ name: String) -> [String] {
        if !known.contains(name) { known.append(name) }
        let values = left.filter { $0.name == name }.compactMap(\.value)
        left.removeAll { $0.name == name }
        for value in values where value.utf8.contains(0) {
            fault(name, .malformed, "\(name) contains a NUL character.")
        }
        return values.filter { !$0.utf8.contains(0) }
    }

    /// Takes the value of a parameter that must not be repeated; nil if it is absent or invalid.
    public mutating func value(_ name: String) -> String? {
        let values = values(name)
        guard values.count > 1 else { return values.first }
        fault(name, .repeated, "\(name) must not be repeated.")
        return nil
    }

    /// Takes a parameter and parses it; a value for which `read` returns nil is a fault.
    public mutating func value<Value>(
        _ name: String, expected: String, _ read: (String) -> Value?
    ) -> Value? {
        guard let text = value(name) else { return nil }
        let value = read(text)
        if value == nil { fault(name, .malformed, "\(name) must be \(expected).") }
        return value
    }

    /// Takes a boolean in upper or lower case, because Python writes `True`.
    public mutating func flag(_ name: String) -> Bool? {
        value(name, expected: "true, false, 1 or 0") { text in
            switch text.lowercased() {
            case "true", "1": true
            case "false", "0": false
            default: nil
            }
        }
    }

    /// Takes a whole number in `range`, written with digits only.
    public mutating func number(_ name: String, in range: ClosedRange<Int>) -> Int? {
        guard let text = value(name) else { return nil }
        let isNumber = !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
        if isNumber, let number = Int(text), range.contains(number) { return number }
        fault(
            name, isNumber ? .outOfRange : .malformed,
            "\(name) must be a number from \(range.lowerBound) to \(range.upperBound).")
        return nil
    }

    /// Adds a fault of the parameter `name`.
    public mutating func fault(_ name: String, _ code: Problem.Code, _ message: String) {
        faults.append(Problem.Fault(in: "query", name: name, code: code, message: message))
    }

    /// Throws a 400 with all faults, including unknown parameters.
    public mutating func end() throws(Problem) {
        var seen: Set<String> = []
        for name in left.compactMap(\.name) where seen.insert(name).inserted {
            let list = known.isEmpty ? "none" : known.joined(separator: ", ")
            fault(name, .unknown, "Unknown parameter; \(path) accepts \(list).")
        }
        guard !faults.isEmpty else { return }
        throw Problem(
            .badRequest, "Invalid query parameters.",
            faults: Array(faults.prefix(Self.faultLimit)))
    }
}

extension Request {
    /// Throws a 400 if the request has parameters, for paths that accept none.
    public func refuseParameters() throws(Problem) {
        var parameters = Parameters(self)
        try parameters.end()
    }
}
