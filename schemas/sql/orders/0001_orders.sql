-- Orders: the aggregate, its lines, and who changed what, when.
SELECT platform.create_context();

CREATE TABLE orders (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    state text NOT NULL CHECK (state IN ('draft', 'placed', 'approved', 'rejected', 'fulfilled', 'cancelled')),
    total_minor bigint NOT NULL CHECK (total_minor >= 0),
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    PRIMARY KEY (tenant_id, id)
);
SELECT platform.protect('orders', 'SELECT, INSERT');
GRANT UPDATE (state, total_minor, updated_at, version) ON orders TO orders_app;
-- Lists go newest first; identifiers are made in the order of time.
CREATE INDEX orders_by_state ON orders (tenant_id, state, id DESC);
CREATE INDEX orders_by_customer ON orders (tenant_id, customer_id, id DESC);

CREATE TABLE order_lines (
    tenant_id uuid NOT NULL,
    order_id uuid NOT NULL,
    number int NOT NULL CHECK (number > 0),
    sku text NOT NULL,
    quantity bigint NOT NULL CHECK (quantity > 0),
    unit_price_minor bigint NOT NULL CHECK (unit_price_minor >= 0),
    PRIMARY KEY (tenant_id, order_id, number),
    FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id)
);
SELECT platform.protect('order_lines', 'SELECT, INSERT, DELETE');

-- Append-only: the application role can't change or delete what happened.
CREATE TABLE order_history (
    tenant_id uuid NOT NULL,
    order_id uuid NOT NULL,
    version bigint NOT NULL,
    change text NOT NULL,
    reason text,
    actor text NOT NULL,
    correlation_id uuid NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, order_id, version),
    FOREIGN KEY (tenant_id, order_id) REFERENCES orders (tenant_id, id)
);
SELECT platform.protect('order_history', 'SELECT, INSERT');
