/// A request to take back all or part of the credits of a record.
public struct Correction: Equatable, Sendable {
    /// Why.
    public var reason: String

    /// How many credits, more than 0; nil for all that is left.
    public var credits: Credits?

    /// The sender's own id of the correction, which makes a retry free.
    public var externalID: String?

    /// Whether it counts at the time of the record instead of now.
    public var isAtOriginalTime = false

    /// Makes a correction of all that is left, which counts now.
    public init(reason: String) { self.reason = reason }
}
