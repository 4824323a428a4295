-- A table of customers to join with, one for each subuser of the account in schema sg: what the documentation and
-- scripts/demo take for a table of the reader's own.
CREATE TABLE customers (name text PRIMARY KEY, plan text, sendgrid_user text UNIQUE);
INSERT INTO customers
SELECT format('%s %s', (string_to_array('Alder Amber Birch Blue Cedar Coral Elm Falcon Harbour Ivory Juniper Lark Maple North '
										'Oak Pine River Silver Stone Willow', ' '))[1 + n % 20],
			  (string_to_array('Airlines Books Clinics Coffee Events Fashion Fitness Foods Furniture Games Garden '
							   'Hotels Insurance Jobs Learning Media Music Sports Tickets Travel', ' '))[1 + (n / 20 + n * 7) % 20]),
	   ('{free,essentials,pro,premier}'::text[])[1 + n % 4], username
FROM (SELECT username, row_number() OVER (ORDER BY id)::int - 1 AS n FROM sg.subusers) s;
ANALYZE customers;
