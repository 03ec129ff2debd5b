import APIKeys
import ArgumentParser
import Configuration
import Foundation
import Usage
import UsageStore

/// Makes, lists and revokes the keys of programs.
struct Keys: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Makes, lists and revokes API keys.",
        subcommands: [Create.self, List.self, Revoke.self])

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Makes a key and prints it, this once.",
            discussion: "Only a digest of it is kept: a lost key is revoked, and another one made.")

        @Argument(help: "What the key is for.") var name: String
        @Option(help: "usage:read or usage:write; may be given twice.") var scope: [String]
        @Option(help: "A date (midnight UTC) or RFC 3339. (default: never)") var expires: String?

        func validate() throws {
            guard (1...200).contains(name.unicodeScalars.count) else {
                throw ValidationError("A name has 1 to 200 characters.")
            }
            guard !scope.isEmpty, scope.allSatisfy(["usage:read", "usage:write"].contains) else {
                throw ValidationError("A scope is usage:read or usage:write.")
            }
            if let expires {
                guard let instant = instant(expires), instant > .now else {
                    throw ValidationError("--expires must be a date or RFC 3339, in the future.")
                }
            }
        }

        func run() throws {
            try reporting {
                let key = APIKey()
                try administratorsStore().addKey(
                    key.keyID, name: name, digest: key.digest, scopes: Array(Set(scope)).sorted(),
                    expiresAt: expires.flatMap(instant))
                print(key)
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lists the keys, without their secrets.")

        func run() throws {
            try reporting {
                for key in try administratorsStore().keys() {
                    let state: String
                    if let revokedAt = key.revokedAt {
                        state = "revoked \(revokedAt.wholeSeconds)"
                    } else if let expiresAt = key.expiresAt {
                        state = "\(expiresAt > .now ? "expires" : "expired") \(expiresAt)"
                    } else {
                        state = "valid"
                    }
                    let scopes = key.scopes.joined(separator: ",")
                    print(
                        "\(key.keyID)  \(key.createdAt.wholeSeconds)  \(scopes)  \(state)  \(key.name)"
                    )
                }
            }
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Refuses a key from now on.")

        @Argument(help: "The key's id: what stands between orb_ and the next _.") var id: String

        func run() throws {
            try reporting {
                guard try administratorsStore().revokeKey(id) else {
                    // What was given may be a whole key, whose secret must not be repeated.
                    throw Failure(
                        message: "there is no key with this id, which is the part of a key between "
                            + "orb_ and the next _; see: orbitalctl keys list",
                        status: EX_DATAERR)
                }
            }
        }
    }
}

/// The instant that a date (its midnight in UTC) or RFC 3339 names.
func instant(_ text: String) -> Timestamp? {
    switch PeriodBound(text) {
    case .instant(let instant): return instant
    case .day(let date): return ZoneOffsets.utc.start(of: date)
    case nil: return nil
    }
}

extension Tokenizers {
    /// The tokenizers of the configured directory.
    convenience init(of settings: Settings) { self.init(directory: settings.tokenizerDirectory) }
}

extension Settings {
    /// The settings of an administrator's command; by default, those of the installed service.
    static func administrators() throws(SettingsError) -> Settings {
        try load(forAdministrator: true, export: exportToProcess)
    }
}

/// The store of the configured database.
func administratorsStore() throws -> UsageStore {
    let settings = try Settings.administrators()
    return UsageStore(
        databaseURL: settings.databaseURL, applicationName: "orbitalctl",
        waitSeconds: settings.databaseWaitSeconds)
}
