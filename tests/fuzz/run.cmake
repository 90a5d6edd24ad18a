# Runs the fuzzers at the same time, each on its corpus: commands of one execute_process do. Fails where one found something.
set(commands "")
foreach(reader ${readers})
  # -malloc_limit_mb: nothing is allocated from a length that was not checked.
  list(APPEND commands COMMAND ./fuzz_${reader} -max_total_time=${seconds} -max_len=4096 -malloc_limit_mb=64 -verbosity=0
       -print_funcs=0 -print_final_stats=1 -artifact_prefix=${reader}- ${corpus}/${reader})
endforeach()
execute_process(${commands} RESULTS_VARIABLE results)
foreach(result ${results})
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "fuzzers of ${readers} ended with ${results}")
  endif()
endforeach()
