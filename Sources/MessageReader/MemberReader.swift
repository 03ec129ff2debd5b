import Encoding
import Usage

/// Reads the members of an object, and collects their faults.
///
/// `null` is the same as an absent member.
struct MemberReader {
    let members: JSONMembers

    /// The faults so far.
    var faults: [MessageFault] = []

    /// Whether a user or tag in the form of an erased user's pseudonym is a fault.
    var refusesPseudonyms = false

    /// Maximum number of unknown members that are reported.
    private static let unknownLimit = 10

    init(_ members: JSONMembers) { self.members = members }

    mutating func fault(_ name: String, _ code: MessageFault.Code, _ message: String) {
        faults.append(MessageFault(name, code, message))
    }

    /// Reports members that are duplicated or not allowed, before the faults so far.
    mutating func refuse(repeated: [String], unknown: Set<String>, _ list: String) {
        let others = faults
        faults = []
        defer { faults += others }
        for name in repeated { fault(name, .duplicateMember, "\(name) appears more than once.") }
        // The list only once: there may be ten unknown members in each of ten thousand items.
        for (index, name) in unknown.sorted().prefix(Self.unknownLimit).enumerated() {
            let allowed = index == 0 ? "; allowed: \(list)" : ""
            fault(name, .unknownMember, "Unknown field \"\(name)\"\(allowed).")
        }
    }

    /// Reports the missing members of `required`; if parsing ended early, reports that instead.
    mutating func require(_ required: [String]) {
        if refuseCut() { return }
        for name in required where members[name] ?? .null == .null {
            fault(name, .missing, "\(name) is missing.")
        }
    }

    /// Whether parsing ended early, which is reported unless there is another fault.
    mutating func refuseCut() -> Bool {
        guard members.isCut else { return false }
        if faults.isEmpty {
            fault("", .malformed, "A number is too long, or the nesting is too deep.")
        }
        return true
    }

    /// The integer `value`; nil, with a fault, if it is another value.
    mutating func integer(_ name: String, _ value: JSONValue) -> Int64? {
        if case .number(let number) = value {
            switch number.integer() {
            case .exact(let integer): return integer
            case .outOfRange:
                fault(name, .outOfRange, "\(name) must be a 64-bit integer.")
                return nil
            case .fraction: break
            }
        }
        fault(name, .wrongType, "\(name) must be an integer.")
        return nil
    }

    /// The string `value`; nil, with a fault that names `place` and what is `expected`, otherwise.
    mutating func string(
        _ name: String, _ value: JSONValue, _ expected: String = "a string",
        at place: String? = nil
    ) -> String? {
        let place = place ?? name
        switch value {
        case .string(let text): return text
        case .brokenString:
            fault(
                name, .malformed,
                "\(place) has an unpaired surrogate, such as \\ud83d; send both halves of the pair."
            )
        default: fault(name, .wrongType, "\(place) must be \(expected).")
        }
        return nil
    }

    /// The time `value`; nil, with a fault, if it is another value.
    mutating func timestamp(_ name: String, _ value: JSONValue) -> Timestamp? {
        guard let text = string(name, value, "a string in RFC 3339 format") else { return nil }
        if let timestamp = Timestamp(text) { return timestamp }
        fault(
            name, .malformed,
            "\(name) must be RFC 3339 with an offset, such as 2024-01-15T14:30:00Z.")
        return nil
    }

    /// The credits `value`, at least `least` hundredths; nil, with a fault, if it is another value.
    mutating func credits(
        _ name: String, _ value: JSONValue, least: Int64 = 0, _ kind: String = "a non-negative"
    ) -> Credits? {
        if case .number(let number) = value,
            case .exact(let hundredths) = number.integer(decimals: 2), hundredths >= least
        {
            guard hundredths.magnitude <= Credits.largest.hundredths.magnitude else {
                fault(name, .outOfRange, "\(name) must be at most \(Credits.largest).")
                return nil
            }
            return Credits(hundredths: hundredths)
        }
        fault(
            name, .wrongType,
            "\(name) must be \(kind) number with at most two decimals, such as 15.60.")
        return nil
    }

    /// Whether the member is `true`.
    mutating func flag(_ name: String, _ value: JSONValue) -> Bool {
        switch value {
        case .bool(false): return false
        case .bool(true): return true
        default:
            fault(name, .wrongType, "\(name) must be true or false.")
            return false
        }
    }
}
