import Encoding

/// What takes the place of the id of an erased user: `erased-` and 12 hexadecimal digits.
public enum Pseudonym {
    private static let prefix = "erased-"
    private static let digitCount = 12

    /// Its form, in words.
    public static let form = "\(prefix) and \(digitCount) hexadecimal digits"

    /// Its form, as a regular expression of PostgreSQL.
    public static let pattern = "\(prefix)[0-9a-f]{\(digitCount)}"

    /// A new one, from the system's source of random numbers.
    public static func random() -> String {
        let digits = String(UInt64.random(in: 0..<1 << (4 * UInt64(digitCount))), radix: 16)
        return prefix + String(repeating: "0", count: digitCount - digits.count) + digits
    }

    /// Whether `text` has its form.
    public static func isOne(_ text: String) -> Bool {
        text.utf8.count == prefix.utf8.count + digitCount && text.hasPrefix(prefix)
            && text.utf8.dropFirst(prefix.utf8.count).allSatisfy {
                (0x30...0x39).contains($0) || (0x61...0x66).contains($0)
            }
    }

    /// Whether a `recorded` value agrees with the one that was `sent`: an erased one with any.
    fileprivate static func agrees(_ recorded: String?, _ sent: String?) -> Bool {
        recorded.map(isOne) == true || isSame(recorded, sent)
    }
}

extension UsageRecord.Attribution {
    /// Whether it agrees, as that of a record, with the one `sent` in a retry: an erased user, and an
    /// erased value of a tag, with any other.
    public func agrees(with sent: UsageRecord.Attribution, in column: UsageRecord.Column) -> Bool {
        if column == .userID { return Pseudonym.agrees(userID, sent.userID) }
        if column == .tags, let tags, let others = sent.tags {
            let (own, other) = (Self.pairs(tags), Self.pairs(others))
            return own.count == other.count
                && zip(own, other).allSatisfy {
                    $0.key == $1.key && Pseudonym.agrees($0.value, $1.value)
                }
        }
        return isSame(value(in: column), sent.value(in: column))
    }

    private func value(in column: UsageRecord.Column) -> String? {
        var record = UsageRecord()
        record.attribution = self
        return record.value(in: column)
    }

    /// The pairs of canonical tags, in order.
    private static func pairs(_ tags: String) -> [(key: String, value: String?)] {
        guard case .object(let members) = JSONItem(Array(tags.utf8)) else { return [] }
        return members.all.map { member in
            guard case .string(let value) = member.value else { return (member.name, nil) }
            return (member.name, value)
        }
    }
}

/// Compares bytes, because Swift takes texts for equal that only look the same.
private func isSame(_ left: String?, _ right: String?) -> Bool {
    left.map { Array($0.utf8) } == right.map { Array($0.utf8) }
}
