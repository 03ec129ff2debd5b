import Foundation
import Usage

/// Reads a message from a JSON object.
struct MessageDecoder {
    private let decoder = JSONDecoder()

    /// The message, or the first thing that is wrong with it.
    func message(from json: [UInt8]) -> Result<Message, MessageFault> {
        do {
            return .success(try decoder.decode(Item.self, from: Data(json)).message)
        } catch let fault as MessageFault {
            return .failure(fault)
        } catch let error as DecodingError {
            return .failure(MessageFault(words(for: error)))
        } catch {
            return .failure(MessageFault("it is not JSON"))
        }
    }

    private func words(for error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): return "\(key.stringValue) is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            guard let key = context.codingPath.last else { return "it is not an object" }
            return "\(key.stringValue) has the wrong type"
        case .dataCorrupted(let context):
            // A number that is out of range comes without a path.
            guard let key = context.codingPath.last else {
                return "it is not JSON, or a number in it is no integer or out of range"
            }
            return "\(key.stringValue) is out of range"
        @unknown default: return "it cannot be read"
        }
    }
}

/// The object as it stands in the file.
private struct Item: Decodable {
    let message: Message

    private enum Key: String, CodingKey, CaseIterable {
        case messageID = "message_id"
        case timestamp
        case reportName = "report_name"
        case text = "message_text"
        case creditsUsed = "credits_used"
    }

    private struct AnyKey: CodingKey {
        let stringValue: String
        let intValue: Int? = nil
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { return nil }
    }

    init(from decoder: any Decoder) throws {
        for key in try decoder.container(keyedBy: AnyKey.self).allKeys
        where Key(rawValue: key.stringValue) == nil {
            throw MessageFault("\(key.stringValue) is not a member of a message")
        }
        let members = try decoder.container(keyedBy: Key.self)
        let credits = try members.decodeIfPresent(Decimal.self, forKey: .creditsUsed)
        message = try Message(
            fields: MessageFields(
                messageID: members.decode(Int64.self, forKey: .messageID),
                timestamp: members.decode(String.self, forKey: .timestamp),
                reportName: members.decodeIfPresent(String.self, forKey: .reportName),
                text: members.decode(String.self, forKey: .text),
                creditsUsed: credits.map { "\($0)" }))
    }
}
