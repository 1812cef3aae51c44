public import Kernel

public enum OrderKind {}
public typealias OrderID = Identifier<OrderKind>

/// A customer of the tenant; Orders knows it by its identifier alone.
public enum CustomerKind {}
public typealias CustomerID = Identifier<CustomerKind>
