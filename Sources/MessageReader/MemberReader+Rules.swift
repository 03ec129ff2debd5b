import Encoding
import Usage

/// Rules for tags, and rules for several members together.
extension MemberReader {
    /// The tags of an object of texts as canonical JSON; nil if there are none.
    mutating func tags(_ name: String, _ value: JSONValue) -> String? {
        guard case .object(let members) = value else {
            fault(
                name, .wrongType,
                #"\#(name) must be an object of strings, such as {"env":"prod"}, or be omitted."#)
            return nil
        }
        let limit = UsageRecord.Attribution.tagLimit
        guard members.count <= limit, !members.isCut else {
            fault(name, .tooMany, "\(name) must have at most \(limit) pairs.")
            return nil
        }
        var pairs: [(key: String, value: String)] = []
        for member in members.all {
            guard AttributionPart.isTagKey(member.name) else {
                fault(
                    name, .malformed,
                    "A key of \(name) must have 1 to 64 of the characters A-Z a-z 0-9 _ . -")
                continue
            }
            if pairs.contains(where: { $0.key == member.name }) {
                fault(
                    name, .duplicateMember, "\(name) has the key \(member.name) more than once.")
            }
            if let text = tagValue(name, member) { pairs.append((member.name, text)) }
        }
        return UsageRecord.Attribution.text(of: pairs)
    }

    private mutating func tagValue(_ name: String, _ member: JSONMembers.Member) -> String? {
        let place = "\(name).\(member.name)"
        guard let text = string(name, member.value, at: place) else { return nil }
        faults += UsageRecord.TextLimit.identifier(200).faults(text, place).map {
            MessageFault(name, $0.code, $0.message)
        }
        refusePseudonym(name, text, at: place)
        return text
    }

    /// Reports a pseudonym: only imports may have those of erased users, because a retry agrees with
    /// any, and the next erasure removes their texts.
    mutating func refusePseudonym(_ name: String, _ text: String, at place: String) {
        guard refusesPseudonyms, Pseudonym.isOne(text) else { return }
        fault(
            name, .malformed,
            "\(place) must not be \(Pseudonym.form), which is reserved for erased users.")
    }

    /// Reports members that contradict each other.
    mutating func compare(_ record: UsageRecord) {
        let cached = (record.reported.cacheRead ?? 0) + (record.reported.cacheCreation ?? 0)
        if cached > record.reported.input ?? 0 {
            fault(
                "input_tokens", .outOfRange,
                "input_tokens includes both kinds of cached tokens: it must be at least \(cached).")
        }
        if (record.tokenCount == nil) != (record.tokenizer == nil) {
            fault("token_count", .malformed, "token_count and tokenizer must be given together.")
        }
        if record.characterCount != nil || record.textDigest != nil { compareText(record) }
        if record.creditsUsed != nil || !record.isPlain { compareCorrection(record) }
    }

    /// Only corrections have a reason and negative credits, and have no measure.
    private mutating func compareCorrection(_ record: UsageRecord) {
        guard record.corrects != nil else {
            if record.isCorrection {
                fault(
                    "credits_used", .wrongType,
                    "credits_used must be a non-negative number with at most two decimals, such as "
                        + "15.60; only that of a correction, which has corrects, is negative.")
            }
            if record.reason != nil {
                fault("reason", .malformed, "reason is only for corrections.")
            }
            return
        }
        if record.reason == nil { fault("reason", .missing, "reason is missing.") }
        if !record.isCorrection {
            fault("credits_used", .outOfRange, "credits_used of a correction must be negative.")
        }
        if record.corrects == record.messageID {
            fault("corrects", .malformed, "A record cannot correct itself.")
        }
        let others = UsageRecord.Column.measures.subtracting([.corrects])
            .union([.cacheReadInputTokens, .cacheCreationInputTokens, .tokenCount, .rate])
        for column in UsageRecord.Column.all
        where others.contains(column) && record.value(in: column) != nil {
            fault(column.name, .malformed, "A correction has no \(column.name).")
        }
    }

    private mutating func compareText(_ record: UsageRecord) {
        if let count = record.text?.unicodeScalars.count {
            if let given = record.characterCount, given != count {
                fault("character_count", .malformed, "character_count must be \(count).")
            }
            if record.textDigest != nil {
                fault(
                    "text_digest", .malformed,
                    "text_digest is only for messages without message_text.")
            }
        } else if record.characterCount == nil {
            fault("character_count", .missing, "text_digest needs character_count.")
        }
    }
}
