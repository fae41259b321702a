SELECT sum(l_extendedprice) AS total, count(*) AS lines, 7 AS years
FROM lineitem, part
WHERE p_partkey = l_partkey AND p_brand IN ('Brand#23', 'Brand#12') AND p_container IN ('MED BOX', 'SM BOX', 'LG CASE')
  AND l_quantity < (SELECT 0.2 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey)
