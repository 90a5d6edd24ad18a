// Published results, computed again: reproduce EXPERIMENT --data directory-of-mnist --json figures.json
//
// Each experiment prints its table and exits with 2 where its figures miss what docs/reproduction.md says of it. A new one is a
// file in reproduce/, a line in reproduce/experiment.hpp and one in the list below.

#include <CLI/CLI.hpp>

#include "reproduce/experiment.hpp"

int main(int argc, char** argv) {
    struct experiment {
        const char* name;
        const char* description;
        int (*run)(const reproduce::options&);
    };
    const experiment experiments[] = {
        {"deep_compression_300_100", "Han, Mao, Dally 2016: LeNet-300-100, 27 KB there", reproduce::deep_compression_300_100},
        {"deep_compression_lenet5", "Han, Mao, Dally 2016: LeNet-5, 44 KB there", reproduce::deep_compression_lenet5},
        {"hinton", "Hinton, Vinyals, Dean 2015: a student of 800 units, 146 errors alone and 74 distilled there",
         reproduce::hinton},
        {"lottery_ticket", "Frankle, Carbin 2019: LeNet-300-100 by iterative magnitude pruning", reproduce::lottery_ticket},
        {"prune_300_100", "Han, Pool, Tran, Dally 2015: LeNet-300-100 with 8% of its weights", reproduce::prune_300_100},
        {"shrink_lenet5", "Li, Kadav, Durdanovic, Samet, Graf 2017: LeNet-5 without 60% of its filters and neurons",
         reproduce::shrink_lenet5},
        {"small_student", "784-300-100-10 distilled, pruned and in bytes: a file of 60 KB", reproduce::small_student},
        {"tfmot_pruning", "TensorFlow's tutorial of pruning: 12 filters and a dense layer", reproduce::tfmot_pruning},
        {"tfmot_clustering", "TensorFlow's tutorial of clustering: the same network", reproduce::tfmot_clustering},
    };
    reproduce::options o;
    CLI::App app("Published results on MNIST, computed again.");
    app.require_subcommand(1);
    for (const experiment& e : experiments) {
        CLI::App* const command = app.add_subcommand(e.name, e.description);
        command->add_option("--data", o.data, "directory of the MNIST files, plain or gzip'd")->required();
        command->add_option("--json", o.json, "file for the figures");
        command->add_option("--svg", o.svg, "file for the plot, if the experiment has one");
        command->add_option("--seed", o.seed, "what every random choice derives from");
        command->add_option("--seeds", o.seeds, "runs with this and the following seeds, if the experiment repeats itself");
        command->add_option("--threads", o.threads, "threads; the figures do not depend on it")->check(CLI::Range(1, 1024));
        command->add_flag("--quick", o.quick, "less training, weaker claims: under a minute");
    }
    CLI11_PARSE(app, argc, argv);
    for (const experiment& e : experiments) {
        if (app.got_subcommand(e.name)) {
            return e.run(o);
        }
    }
    return 1;
}
