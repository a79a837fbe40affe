"""How well Saldo applies cash: bank lines of a simulated world, whose truth is known, through the product.

truth     what each bank line is for            books    what is open before each line
ceiling   what a perfect reader could know      pure     the matching engine alone, on books of truth
run       the product, day by day, with a simulated cash desk      report   the figures
"""
