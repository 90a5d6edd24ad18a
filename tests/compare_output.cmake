# Runs `program` and compares what it prints with the file `expected`.
execute_process(COMMAND ${program} OUTPUT_VARIABLE printed RESULT_VARIABLE status)
file(READ ${expected} wanted)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "the program failed: ${status}")
endif()
if(NOT printed STREQUAL wanted)
  message(FATAL_ERROR "expected\n${wanted}\nfound\n${printed}")
endif()
