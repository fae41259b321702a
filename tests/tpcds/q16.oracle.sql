SELECT count(*) AS order_count, sum(shipping) AS total_shipping_cost, sum(profit) AS total_net_profit
FROM (
  SELECT cs_order_number, sum(cs_ext_ship_cost) AS shipping, sum(cs_net_profit) AS profit
  FROM catalog_sales AS cs1, date_dim, customer_address, call_center
  WHERE d_date BETWEEN DATE '2002-02-01' AND DATE '2002-02-01' + INTERVAL '60' DAY AND cs1.cs_ship_date_sk = d_date_sk
    AND cs1.cs_ship_addr_sk = ca_address_sk AND ca_state = 'GA' AND cs1.cs_call_center_sk = cc_call_center_sk
    AND cc_county IN ('Williamson County', 'Williamson County', 'Williamson County', 'Williamson County', 'Williamson County')
    AND EXISTS (
      SELECT * FROM catalog_sales AS cs2
      WHERE cs1.cs_order_number = cs2.cs_order_number AND cs1.cs_warehouse_sk <> cs2.cs_warehouse_sk)
    AND NOT EXISTS (SELECT * FROM catalog_returns AS cr1 WHERE cs1.cs_order_number = cr1.cr_order_number)
  GROUP BY cs_order_number) AS orders
