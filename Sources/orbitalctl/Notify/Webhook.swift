import APIKeys
import CCurl
import Configuration
import Foundation
import Usage

/// The receiver of events, which are sent and signed as Standard Webhooks has it
/// (https://github.com/standard-webhooks/standard-webhooks, version 1.0.0).
struct Webhook {
    private let url: String
    private let secret: [UInt8]

    /// How long the receiver may take.
    private static let timeout = 10_000

    /// Throws a `Failure` unless WEBHOOK_URL and WEBHOOK_SECRET are set.
    init(_ settings: Settings) throws {
        let encoded = settings.webhookSecret.dropFirst("whsec_".count)
        guard !settings.webhookURL.isEmpty, !encoded.isEmpty,
            let secret = Data(base64Encoded: String(encoded))
        else {
            throw Failure(
                message:
                    "set WEBHOOK_URL and WEBHOOK_SECRET; a new secret: echo whsec_$(openssl rand "
                    + "-base64 24)",
                status: EX_CONFIG)
        }
        url = settings.webhookURL
        self.secret = Array(secret)
    }

    /// Posts an event; nil if the receiver has confirmed it with a status from 200 to 299, otherwise
    /// what went wrong, without the URL.
    func post(_ body: String, id: String) -> String? {
        let time = String(Timestamp.now.microseconds / 1_000_000)
        let signature = messageAuthenticationCode("\(id).\(time).\(body)", key: secret)
        let fields = [
            "Content-Type: application/json", "User-Agent: orbital-usage/\(version)",
            "webhook-id: \(id)", "webhook-timestamp: \(time)",
            "webhook-signature: v1,\(Data(signature).base64EncodedString())",
        ]
        let list = fields.reduce(nil) { curl_slist_append($0, $1) }
        defer { curl_slist_free_all(list) }
        switch post_json(url, list, body, Self.timeout) {
        case 200..<300: return nil
        case let code where code < 0:
            return String(cString: curl_easy_strerror(CURLcode(rawValue: UInt32(-code))))
        case let status: return "the response has the status \(status)"
        }
    }
}
