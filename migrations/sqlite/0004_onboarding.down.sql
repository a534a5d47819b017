DROP TABLE test_people_passed;
DROP TABLE test_people;
DROP TABLE relay_grant;
DROP TABLE sealing_key;
