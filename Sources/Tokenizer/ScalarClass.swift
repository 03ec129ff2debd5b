/// A set of classes by which the encodings distinguish scalars; empty at the end of a text.
struct ScalarClass: Equatable {
    private let bits: UInt8

    private init(bits: UInt8) { self.bits = bits }

    static let none = ScalarClass(bits: 0)
    static let upper = ScalarClass(bits: 1)
    static let lower = ScalarClass(bits: 2)
    static let caseless = ScalarClass(bits: 4)
    static let mark = ScalarClass(bits: 8)
    static let number = ScalarClass(bits: 16)
    static let lineBreak = ScalarClass(bits: 32)
    static let otherSpace = ScalarClass(bits: 64)
    static let symbol = ScalarClass(bits: 128)

    // `\p{L}`
    static let letter = ScalarClass(bits: 1 | 2 | 4)
    // `[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`
    static let upperPart = ScalarClass(bits: 1 | 4 | 8)
    // `[\p{Ll}\p{Lm}\p{Lo}\p{M}]`
    static let lowerPart = ScalarClass(bits: 2 | 4 | 8)
    // `[^\s\p{L}\p{N}]`
    static let sign = ScalarClass(bits: 8 | 128)
    // `\s`
    static let space = ScalarClass(bits: 32 | 64)
    // `[^\r\n\p{L}\p{N}]`
    static let beforeWord = ScalarClass(bits: 8 | 64 | 128)

    /// Whether a scalar's class is one of `classes`; never at the end.
    @inline(__always)
    func isIn(_ classes: ScalarClass) -> Bool { bits & classes.bits != 0 }

    /// The class of every scalar, by its value.
    static let table: [ScalarClass] = {
        var table = [ScalarClass](repeating: .symbol, count: 0x110000)
        var start = 0
        var runs = scalarClassRuns.utf8[...]
        while let letter = runs.popFirst() {
            let digits = runs.prefix { $0 < UInt8(ascii: "a") }
            runs = runs.dropFirst(digits.count)
            let length = digits.isEmpty ? 1 : digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
            let kind = ScalarClass(letter: letter)
            if kind != .symbol {
                for value in start..<start + length { table[value] = kind }
            }
            start += length
        }
        return table
    }()

    private init(letter: UInt8) {
        switch letter {
        case UInt8(ascii: "u"): self = .upper
        case UInt8(ascii: "l"): self = .lower
        case UInt8(ascii: "c"): self = .caseless
        case UInt8(ascii: "m"): self = .mark
        case UInt8(ascii: "n"): self = .number
        case UInt8(ascii: "r"): self = .lineBreak
        case UInt8(ascii: "s"): self = .otherSpace
        default: self = .symbol
        }
    }
}
