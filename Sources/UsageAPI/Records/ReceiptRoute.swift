import Encoding
import HTTP
import Usage
import UsageStore

/// `GET /usage/{message_id}`: one record with its receipt.
func receipt(_ request: Request, _ principal: Principal, _ service: Service) throws -> Response {
    try request.refuseParameters()
    let messageID = try request.path[...].messageID()
    let query = NormalisedQuery(request.path, principal)
    return try service.revalidated(request, principal, query) { snapshot, _ in
        guard let found = try snapshot.record(messageID) else {
            throw Problem(.notFound, try snapshot.absence(of: messageID, principal.bounds))
        }
        var json = JSONWriter()
        json.object { json in
            json.members(of: found.record)
            json.member(found.receipt)
        }
        return Representation(contentType: "application/json", body: .bytes(json.bytes))
    }
}

extension Substring {
    /// The id in a path `/usage/{message_id}`; throws a 404.
    func messageID() throws(Problem) -> Int64 {
        let text = dropFirst("/usage/".count)
        guard let messageID = Int64(text), String(messageID) == text else {
            throw Problem(
                .notFound,
                "message_id must be a 64-bit integer without leading zeros or a plus sign.")
        }
        return messageID
    }
}

extension Snapshot {
    /// Why there is no record; a bound key does not learn whether another record is closed.
    fileprivate func absence(of messageID: Int64, _ bounds: Bounds) throws -> String {
        guard let closedBefore else { return "No message has this message_id." }
        let closed = "closed: records before \(closedBefore) are in an archive"
        guard bounds.isEmpty else {
            return "No message of this key has this message_id, or its record is \(closed)."
        }
        return try isClosed(messageID)
            ? "The record of this message is \(closed)." : "No message has this message_id."
    }
}

extension JSONWriter {
    /// Writes the member `receipt`.
    mutating func member(_ receipt: Receipt) {
        name("receipt")
        object { json in
            switch receipt.measure {
            case .none: return json.member("priced_by", "correction")
            case .text(let characters, let tokens):
                // Four characters are one token.
                let tokens = Credits(hundredths: tokens.map { $0 * 100 } ?? characters * 25)
                json.member("characters", literal: String(characters))
                json.member("tokens", literal: tokens.description)
            case .reported: json.member("measure", "reported")
            }
            defer { json.corrections(receipt.corrections) }
            guard let rate = receipt.rate, let calculated = receipt.calculated else {
                json.member("priced_by", "writer")
                return
            }
            switch receipt.measure {
            case .none: break
            case .text:
                json.member("tokenizer", receipt.isEstimated ? "characters" : rate.tokenizer)
                json.member(
                    "credits_per_100_tokens", literal: rate.prices.input.creditsPer100Tokens)
            case .reported(let tokens): json.lines(of: tokens, at: rate.prices)
            }
            json.members(of: rate, calculated)
            if receipt.isEstimated { json.member("estimated", literal: "true") }
        }
    }

    /// Writes the member `lines`: the kinds of which tokens were reported.
    private mutating func lines(of tokens: [Receipt.TokenKind: Int64], at prices: TokenPrices) {
        name("lines")
        array { json in
            for kind in Receipt.TokenKind.allCases {
                guard let count = tokens[kind], count > 0 else { continue }
                let price = kind.price(prices)
                json.object { json in
                    json.member("kind", kind.rawValue)
                    json.member("tokens", literal: String(count))
                    json.member("credits_per_million_tokens", literal: price.description)
                    json.member("credits", literal: price.credits(ofTokens: count))
                }
            }
        }
    }

    /// Writes the member `corrections`, if there are some.
    private mutating func corrections(_ corrections: [UsageRecord]) {
        guard !corrections.isEmpty else { return }
        name("corrections")
        array { json in
            for correction in corrections { json.object { $0.members(of: correction) } }
        }
    }

    private mutating func members(of rate: CreditRate, _ calculated: Credits) {
        member("calculated", literal: calculated.description)
        member("minimum", literal: rate.minimum.description)
        member("minimum_applied", literal: calculated < rate.minimum ? "true" : "false")
        if let model = rate.model { member("model", model) }
        if let from = rate.effectiveFrom {
            member("rate_effective_from", from.description)
        } else {
            member("rate_effective_from", literal: "null")
        }
    }

    /// Writes the member `errors`.
    mutating func errors(_ faults: [Problem.Fault]) {
        name("errors")
        array { json in faults.forEach { $0.write(to: &json) } }
    }
}
