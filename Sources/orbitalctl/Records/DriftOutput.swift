import Encoding
import Foundation
import Usage
import UsageStore

/// What `orbitalctl drift` prints.
struct DriftOutput {
    let range: Range<Timestamp>
    let group: String?
    let tokenizer: String?
    let report: DriftReport

    /// The widest name of a group; longer ones are cut.
    private static let nameWidth = 40

    // MARK: For people

    /// A table, and what it says.
    var text: String {
        let counter = tokenizer ?? "the tokenizer of each rate (o200k_base if it counts characters)"
        let head = [
            "Texts from \(range.lowerBound) to \(range.upperBound), counted by \(counter).",
            "Left out: \(counted(report.withoutText, "record")) without text, "
                + "\(report.reported) with reported tokens.",
        ]
        guard report.total.records > 0 else {
            return (head + ["There is nothing to compare."]).joined(separator: "\n")
        }
        return (head + [""] + table + ["", conclusion]).joined(separator: "\n")
    }

    private var table: [String] {
        let head = [
            group ?? "", "records", "characters", "characters / 4", "exact tokens", "difference",
            "credits by / 4", "exact credits", "difference",
        ]
        var rows = report.groups.map { row(shown($0.name), $0.drift) }
        if report.others.groups > 0 {
            let count = report.others.groups
            rows.append(
                row("\(grouped(count)) other\(count == 1 ? "" : "s")", report.others.drift))
        }
        rows.append(row("total", report.total))
        let widths = head.indices.map { column in
            ([head] + rows).map { $0[column].count }.max() ?? 0
        }
        return ([head] + rows).map { cells in
            cells.indices.map { column in
                let blanks = String(repeating: " ", count: widths[column] - cells[column].count)
                return column == 0 ? cells[column] + blanks : blanks + cells[column]
            }.joined(separator: "  ")
        }
    }

    private func row(_ name: String, _ drift: TextDrift) -> [String] {
        [
            name, grouped(drift.records), grouped(drift.characters),
            grouped(drift.characters / 4) + drift.quarters, grouped(drift.tokens),
            signed(drift.tokenDifference),
            grouped(drift.estimatedHundredths / 100)
                + decimals(drift.estimatedHundredths),
            grouped(drift.exactHundredths / 100) + decimals(drift.exactHundredths),
            signed(drift.creditDifference),
        ]
    }

    private func shown(_ name: String?) -> String {
        guard let name else { return "(none)" }
        let clean = String(name.map { $0.isNewline || $0.isASCII && $0 < " " ? " " : $0 })
        return clean.count <= Self.nameWidth ? clean : clean.prefix(Self.nameWidth - 1) + "…"
    }

    private var conclusion: String {
        "By exact counts there are \(compared(report.total.tokenDifference, "tokens")) than by "
            + "characters / 4, and \(compared(report.total.creditDifference, "credits"))."
    }

    private func compared(_ percent: Int128?, _ noun: String) -> String {
        guard let percent else { return "more \(noun)" }
        return "\(fixed(percent.magnitude)) % \(percent < 0 ? "fewer" : "more") \(noun)"
    }

    private func signed(_ percent: Int128?) -> String {
        guard let percent else { return "-" }
        return "\(percent < 0 ? "-" : "+")\(fixed(percent.magnitude)) %"
    }

    private func grouped(_ number: some BinaryInteger) -> String {
        var digits = String(number)
        var end = digits.count - 3
        while end > 0 {
            digits.insert(",", at: digits.index(digits.startIndex, offsetBy: end))
            end -= 3
        }
        return digits
    }

    // MARK: For programs

    /// One object.
    var json: String {
        var json = JSONWriter()
        json.object { json in
            json.member("from", range.lowerBound.description)
            json.member("to", range.upperBound.description)
            json.member("tokenizer", tokenizer, isQuoted: true)
            json.member("without_text", literal: "\(report.withoutText)")
            json.member("with_reported_tokens", literal: "\(report.reported)")
            json.name("total")
            json.object { members(report.total, &$0) }
            guard let group else { return }
            json.member("by", group)
            json.name("groups")
            json.array { json in
                for (name, drift) in report.groups {
                    json.object { json in
                        json.member("name", name ?? "null", isQuoted: name != nil)
                        members(drift, &json)
                    }
                }
            }
            json.name("others")
            json.object { json in
                json.member("groups", literal: "\(report.others.groups)")
                members(report.others.drift, &json)
            }
        }
        return String(decoding: json.bytes, as: UTF8.self)
    }

    private func members(_ drift: TextDrift, _ json: inout JSONWriter) {
        json.member("records", literal: "\(drift.records)")
        json.member("characters", literal: "\(drift.characters)")
        json.member("estimated_tokens", literal: "\(drift.characters / 4)\(drift.quarters)")
        json.member("exact_tokens", literal: "\(drift.tokens)")
        json.member("tokens_difference_percent", literal: number(drift.tokenDifference))
        json.member("estimated_credits", literal: fixed(drift.estimatedHundredths.magnitude))
        json.member("exact_credits", literal: fixed(drift.exactHundredths.magnitude))
        json.member("credits_difference_percent", literal: number(drift.creditDifference))
    }

    private func number(_ percent: Int128?) -> String {
        guard let percent else { return "null" }
        return "\(percent < 0 ? "-" : "")\(fixed(percent.magnitude))"
    }
}

/// A number of hundredths, with two decimals.
private func fixed(_ hundredths: UInt128) -> String {
    "\(hundredths / 100)\(decimals(Int128(hundredths)))"
}

private func decimals(_ hundredths: Int128) -> String {
    ".\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
}

extension TextDrift {
    /// The decimals of characters / 4.
    fileprivate var quarters: String { [".00", ".25", ".50", ".75"][Int(characters % 4)] }

    /// How many more tokens an exact count finds, in hundredths of a percent; nil without characters.
    fileprivate var tokenDifference: Int128? {
        difference(from: Int128(characters), to: 4 * Int128(tokens))
    }

    /// How many more credits an exact count costs, in hundredths of a percent; nil without credits.
    fileprivate var creditDifference: Int128? {
        difference(from: estimatedHundredths, to: exactHundredths)
    }

    /// Rounds halves away from zero.
    private func difference(from old: Int128, to new: Int128) -> Int128? {
        guard old > 0 else { return nil }
        let change = (new - old) * 20_000
        return (change + (change < 0 ? -old : old)) / (2 * old)
    }
}
