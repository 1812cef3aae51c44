import Kernel
import Synchronization

/// Keys whose events wait with the control plane, because nobody knew their tenant when the first of them came.
///
/// The inbox looks for parked keys beside the tenant's data; a tenant that has become known since may have its data
/// elsewhere. Read anew whenever partitions are taken over: until then, nobody else parks keys of what is ours.
final class Strangers: Sendable {
    private let keys = Mutex<Set<EventKey>>([])
    private let gone = Mutex<Set<TenantID>>([])
    private let unknown = Mutex<Set<TenantID>>([])

    /// Whether something may have been discarded of the tenant while nobody knew it.
    func mayHaveDiscards(_ tenant: TenantID) -> Bool { unknown.withLock { $0.contains(tenant) } }
    func expectDiscards(of tenants: some Sequence<TenantID>) { unknown.withLock { $0.formUnion(tenants) } }
    func forgetDiscards(of tenant: TenantID) { _ = unknown.withLock { $0.remove(tenant) } }

    /// Whether it is the first time that this process hears of a tenant that is gone.
    func isFirst(ofGone tenant: TenantID) -> Bool { gone.withLock { $0.insert(tenant).inserted } }

    func contains(_ key: EventKey) -> Bool { keys.withLock { $0.contains(key) } }
    func insert(_ key: EventKey) { _ = keys.withLock { $0.insert(key) } }
    func remove(_ key: EventKey) { _ = keys.withLock { $0.remove(key) } }
    /// What is there too much is found out about when it is used.
    func add(_ found: [EventKey]) { keys.withLock { $0.formUnion(found) } }
}
