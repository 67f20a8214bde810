// nextflow run main.nf --radiographs FOLDER --output SET [--shards 8] [--options "--copies 10"]
// Each process makes a share; the last of them finishes the set. Paths must be absolute, or
// addresses. A process that failed is tried again, and goes on.
params.shards = 8
params.options = '--copies 10'

process share {
    cpus 1
    errorStrategy 'retry'
    maxRetries 3

    input:
    val number

    script:
    """
    nodegen dataset '${params.radiographs}' --output '${params.output}' \
        --workers ${task.cpus} --shard ${number}/${params.shards} ${params.options}
    """
}

workflow {
    share(Channel.of(1..params.shards))
}
