import ArgumentParser
import Configuration
import Encoding
import Foundation
import MessageReader
import Usage
import UsageStore

/// Lists, explains and adds rates.
struct Rates: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Lists, explains and adds rates.",
        discussion: """
            Records keep their credits: after the first record, no rate can be changed. Of the rates \
            that have begun and match a message's model, the rate for the exact model applies, else \
            the rate for the longest prefix, else a rate without a model; among equals, the latest.
            """,
        subcommands: [List.self, Show.self, Add.self, First.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the rates in force now and later, oldest first.")

        @Flag(help: "Also list the rates that a later one has replaced.") var all = false
        @OptionGroup var format: ListFormat

        func run() throws {
            let rates = try administratorsStore().creditRates()
            let now = Timestamp.now
            let listed = rates.filter { rate in
                all || !rates.contains { $0.replaces(rate, at: now) }
            }
            format.show(listed) {
                "\($0); \(counted(Int($0.recordCount), "record"))"
            } members: {
                $1.members(of: $0)
                $1.member("records", literal: String($0.recordCount))
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Shows which rate applies to a model at a time, and why.")

        @Option(help: "The model of the message. (default: none)") var model: String?
        @Option(help: "A date (midnight UTC) or RFC 3339 time. (default: now)") var at: String?
        @OptionGroup var format: ListFormat

        func validate() throws {
            guard at.map({ instant($0) != nil }) ?? true else {
                throw ValidationError(
                    "--at must be a date, or an RFC 3339 time with an offset, such as "
                        + "2024-01-31T09:00:00Z.")
            }
        }

        func run() throws {
            let time = at.flatMap(instant) ?? .now
            let rates = try administratorsStore().creditRates()
            let candidates = rates.candidates(at: time, model: model ?? "")
            guard let applied = candidates.first else {
                throw Failure(message: "no rate is in force at \(time)", status: EX_DATAERR)
            }
            let others = candidates.dropFirst().map { ($0, applied.reasonToPrecede($0)) }
            format.show([(applied, nil)] + others) { rate, reason in
                reason.map { "does not apply (\($0)): \(rate)" } ?? "applies: \(rate)"
            } members: { item, json in
                json.member("applies", literal: item.1 == nil ? "true" : "false")
                json.member("reason", item.1, isQuoted: true)
                json.members(of: item.0)
            }
        }
    }

    struct First: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Replaces the first rate; possible only before the first record.",
            discussion: "Needs --input and --output, or --credits-per-100-tokens.")

        @OptionGroup var terms: RateTerms

        func run() throws {
            let rate = try terms.rate(from: nil, model: nil)
            try administratorsStore().replaceFirstRate(rate)
            terms.warn(rate)
        }
    }

    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Adds a rate, for every message or for some models.",
            discussion: """
                Needs --input and --output, or --credits-per-100-tokens. Prints the new rate. Records \
                dated more than five minutes ahead may be dated after its beginning; they keep their \
                credits, and are listed.

                Example: orbitalctl rates add --effective-from 2027-01-01 --model 'gpt-5*' --input 1500 \
                --output 6000 --cache-read 150
                """)

        @Option(
            help: """
                A date (midnight UTC) or RFC 3339 time; after every record that the rate matches, and \
                after every rate for the same models.
                """)
        var effectiveFrom: String
        @Option(help: "A model, or a prefix that ends in *. (default: every message)")
        var model: String?
        @OptionGroup var terms: RateTerms

        func validate() throws {
            guard instant(effectiveFrom) != nil else {
                throw ValidationError(
                    "--effective-from must be a date, or an RFC 3339 time with an offset, such as "
                        + "2024-01-31T09:00:00Z.")
            }
            if let fault = model.flatMap({ UsageRecord.Column.model.faults($0).first }) {
                throw ValidationError("--\(fault.message)")
            }
        }

        func run() throws {
            let rate = try terms.rate(from: instant(effectiveFrom), model: model)
            let store = try administratorsStore()
            try store.add(rate)
            print("new rate: \(rate)")
            terms.warn(rate)
            let ahead = try store.recordsAhead(of: rate)
            guard ahead.count > 0 else { return }
            let ids = ahead.ids.map(String.init).joined(separator: ", ")
            let verb = ahead.count == 1 ? "keeps its" : "keep their"
            print(
                "\(counted(Int(ahead.count), "record")) dated more than five minutes ahead "
                    + "\(verb) credits: message_id \(ids)\(ahead.count > 5 ? ", …" : "")")
        }
    }
}

extension CreditRate {
    /// Whether it has replaced `rate`, which is for the same models, at `time`.
    fileprivate func replaces(_ rate: CreditRate, at time: Timestamp) -> Bool {
        hasModel(of: rate) && begins(after: rate) && hasBegun(at: time)
    }

    /// Why it applies and not `other`, a later candidate.
    fileprivate func reasonToPrecede(_ other: CreditRate) -> String {
        if hasModel(of: other) { return "a later rate comes first" }
        if other.model == nil { return "a rate with a model comes first" }
        return isPrefix ? "a longer prefix comes first" : "the exact model comes first"
    }
}

extension JSONWriter {
    /// Writes the members of a rate, with the rate's number in an export.
    mutating func members(of rate: CreditRate, number: Int? = nil) {
        let values = RateItem.values(of: rate, number: number)
        for (name, value) in zip(RateItem.members, values) {
            member(name, value, isQuoted: RateItem.texts.contains(name))
        }
    }
}
